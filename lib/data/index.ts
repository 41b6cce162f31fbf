export type { Dataset, Item, Reader, ReaderSpec, Stored } from './dataset.js';
export { importImages, type Imported, type ImportOptions } from './import.js';
export { openDataset, type DatasetKind, type OpenOptions } from './open.js';
export { Order } from './order.js';
export { imageFolder, type ImageFolderOptions } from './sources/image-folder.js';
export { imageList, type ImageListOptions } from './sources/image-list.js';
export { lmdb, type DatabaseOptions } from './sources/lmdb.js';
export type { TransformOptions } from './transform.js';
