import { locate, type DataLayer } from '../../caffe/data-layers.js';
import { openDataset, type Dataset, type OpenOptions } from '../../data/index.js';
import { readMean } from '../../images/index.js';

/** The data of a layer of Caffe's, or what lies at a path instead, taken as the layer says. */
export async function openLayer(
  { kind, source, root, transform, layer }: DataLayer,
  instead?: string,
  more: Pick<OpenOptions, 'subset' | 'resize'> = {},
): Promise<Dataset> {
  const { mean, mirror, channelOrder, ...rest } = transform;
  const options: OpenOptions = {
    ...rest,
    // Caffe mirrors in tests too.
    ...(mirror && { mirror: 'always' }),
    ...(mean !== undefined && {
      mean: 'file' in mean ? await readMean(locate(mean.file, 'mean_file', layer).path) : mean,
    }),
    ...more,
  };
  if (instead !== undefined) return openDataset(instead, { ...options, ...(channelOrder && { channelOrder }) });
  const { path } = locate(source, 'source', layer);
  return openDataset(path, {
    kind,
    ...options,
    channelOrder: channelOrder ?? 'asis',
    ...(root !== undefined && { root }),
  });
}
