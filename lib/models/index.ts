export { alexnet, caffenet } from './alexnet.js';
export { alexnetOwt } from './alexnet-owt.js';
export { cifar10Full, cifar10Quick } from './cifar10.js';
export { lenet } from './lenet.js';
export type { ModelOptions } from './parts.js';
export { squeezenet, type SqueezenetOptions } from './squeezenet.js';
