export type { Dataset, Item, Reader, ReaderSpec, Stored } from './dataset.js';
export { importImages, type Imported, type ImportOptions } from './import.js';
export { Loader, openLoader, type BadPicture, type Batch, type LoaderOptions, type Position } from './loader.js';
export { openDataset, type DatasetKind, type OpenOptions } from './open.js';
export { Order } from './order.js';
export { imageFolder, type ImageFolderOptions } from './sources/image-folder.js';
export { imageList, type ImageListOptions } from './sources/image-list.js';
export { lmdb, type DatabaseOptions } from './sources/lmdb.js';
export type { Components, TransformOptions } from './transform.js';
