/** A published file of weights, and how to tell that it is the right one. */
export interface KnownFile {
  readonly file: string;
  readonly address: string;
  /** What its publisher says of its content: a whole SHA-1, or the beginning of a SHA-256. */
  readonly digest: { readonly algorithm: 'sha1' | 'sha256'; readonly begins: string; readonly source: string };
  /** The ready-made model that takes it. */
  readonly model: string;
}

const CAFFE = 'http://dl.caffe.berkeleyvision.org';
const TORCHVISION = 'https://download.pytorch.org/models';

const caffe = (file: string, model: string, sha1: string): KnownFile => ({
  file,
  address: `${CAFFE}/${file}`,
  digest: { algorithm: 'sha1', begins: sha1, source: "the SHA-1 in the model's readme.md at BVLC/caffe" },
  model,
});

/** torchvision's file names end in the first eight digits of the content's SHA-256 (torch.hub.load_state_dict_from_url). */
const torchvision = (file: string, model: string): KnownFile => ({
  file,
  address: `${TORCHVISION}/${file}`,
  digest: {
    algorithm: 'sha256',
    begins: /-([0-9a-f]{8})\./.exec(file)?.[1] ?? file,
    source: "the first eight digits of the SHA-256, which are part of the file's name",
  },
  model,
});

export const KNOWN: Readonly<Record<string, KnownFile>> = {
  alexnet: caffe('bvlc_alexnet.caffemodel', 'alexnet', '9116a64c0fbe4459d18f4bb6b56d647b63920377'),
  caffenet: caffe('bvlc_reference_caffenet.caffemodel', 'caffenet', '4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46'),
  'alexnet-owt': torchvision('alexnet-owt-7be5be79.pth', 'alexnet-owt'),
  squeezenet: torchvision('squeezenet1_0-b66bff10.pth', 'squeezenet-torchvision'),
};
