// Names a picture with the weights that come with Cortado: decoding, preprocessing and the net.
import { fileURLToPath } from 'node:url';
import { loadClassifier } from 'cortado';

const picture = new URL('../lib/trained/photographs/cat.jpg', import.meta.resolve('cortado'));
const classify = await loadClassifier('cifar10-full');
const [{ label }] = await classify(fileURLToPath(picture));
console.log(label);
