/** ONNX files: nets read as graphs, and graphs written. */
export { encodeOnnx, writeOnnx, type OnnxExportOptions } from './export/index.js';
export { openOnnx, type OnnxFile } from './file.js';
export { readOnnx, type OnnxNet, type OnnxOptions } from './import/index.js';
