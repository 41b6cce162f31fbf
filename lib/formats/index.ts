/** Files of tensors: safetensors, NumPy's, PyTorch's, Caffe's and the initializers of ONNX's, read a tensor at a time and written as they are read. */
export { byteLength, ELEMENT_TYPES, fromTensor, toTensor } from './elements.js';
export type { ElementType, RawTensor, TensorInfo } from './elements.js';
export { openTensors, TENSOR_FILES, writeTensors } from './files.js';
export { openNpz, writeNpz } from './npz.js';
export { openSafetensors, readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js';
export { inMemory, readAll, type TensorFile, type Tensors, type TensorSet } from './tensors.js';
export { decodeNpy, encodeNpy, readNpy, writeNpy } from '../npy.js';
export { openTorch } from './torch/read.js';
export { writeTorch } from './torch/write.js';
export { readWeights } from './weights.js';
