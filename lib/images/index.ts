export { cutPlanes, type Cut, type CutOptions, type Window } from './cut.js';
export { decodeImage, type DecodeOptions, type Image } from './decode.js';
export { readMean, type Mean } from './mean.js';
export { isPictureName, PICTURE_EXTENSIONS } from './names.js';
export { normalization, toImages, type Normalization, type NormalizeOptions } from './normalization.js';
export { preprocess, type PreprocessOptions } from './preprocess.js';
export { resizeImage } from './resize.js';
