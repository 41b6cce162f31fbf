import { FormatError } from '../../errors.js';
import { ahead } from '../ahead.js';
import type { Dataset, Item } from '../dataset.js';
import { Pace } from '../pace.js';
import type { Done } from './batches.js';
import { Crew } from './crew.js';
import { checkLabel } from './labels.js';
import { extentsOf } from './normal.js';
import { checkOptions, type LoaderOptions, type Settled } from './options.js';
import type { Form, Place, Setup, Sums, SumTask } from './piece.js';
import { GivenPlaces, OrderedPlaces, Resumed, type Places } from './places.js';
import { Tally } from './tally.js';

/** A dataset with threads that make pictures of it, the first of which has been looked at. Close the crew. */
export class Opened {
  #first: Places | undefined;

  constructor(
    readonly dataset: Dataset,
    readonly options: Settled,
    readonly crew: Crew,
    readonly tally: Tally,
    readonly form: Form,
    first: Places,
    readonly again: () => Places,
  ) {
    this.#first = first;
  }

  /** The pictures from the start on, `most` or fewer at a time, those of at least `reach` pictures under way. */
  async *pieces(most: number, reach: number): AsyncGenerator<Done> {
    const places = this.#places();
    const { form, crew, tally } = this;
    const make = async (): Promise<Done | undefined> => {
      const task = { places: await places.take(most), form };
      return task.places.length > 0 ? { task, piece: await crew.make(task) } : undefined;
    };
    for await (const done of ahead(Infinity, this.#width(most, reach), make)) {
      tally.count(done.task.places, done.piece);
      yield done;
    }
  }

  /** What the pictures add up to, `most` or fewer at a time, in their order. */
  async *sums(of: SumTask['of'], most: number): AsyncGenerator<Sums> {
    const places = this.#places();
    const { form, crew, tally } = this;
    const make = async (): Promise<{ task: SumTask; sums: Sums } | undefined> => {
      const task = { places: await places.take(most), form, of };
      return task.places.length > 0 ? { task, sums: await crew.sum(task) } : undefined;
    };
    for await (const { task, sums } of ahead(Infinity, this.#width(most, 0), make)) {
      tally.count(task.places, sums);
      yield sums;
    }
  }

  /** Each thread needs something in hand and something to go on with. */
  #width(most: number, reach: number): number {
    return Math.max(2 * this.crew.size, Math.ceil(reach / most));
  }

  #places(): Places {
    const places = this.#first ?? this.again();
    this.#first = undefined;
    return places;
  }
}

/** Starts the threads and looks for the first picture that can be read. @throws as openLoader() does */
export async function openCrew(data: Dataset | AsyncIterable<Item>, options: LoaderOptions): Promise<Opened> {
  const dataset = 'reader' in data ? data : given();
  const settled = checkOptions(options, dataset);
  await checkLabels(dataset, settled);
  const places = (): Places =>
    'reader' in data ? new OrderedPlaces(data, settled) : new GivenPlaces(data, settled.start.place);
  const crew = new Crew(setupOf(dataset, settled), settled.workers, settled.signal);
  try {
    const tally = new Tally(dataset.name, dataset.length, settled.mostBad);
    const first = places();
    const { form, seen } = await findForm(crew, first, tally, dataset.name);
    return new Opened(dataset, settled, crew, tally, form, new Resumed(seen, first), places);
  } catch (error) {
    await crew.close();
    throw error;
  }
}

/** Items that come by themselves: a reader is handed each of them. */
function given(): Dataset {
  return {
    name: 'items',
    length: Infinity,
    classes: undefined,
    labelShape: [],
    reader: { kind: 'given' },
    transform: {},
    ref: () => undefined,
  };
}

function setupOf(dataset: Dataset, { transform, phase, seed, oversample, classes }: Settled): Setup {
  const { name, reader, labelShape } = dataset;
  const { mean, scale: _, ...rest } = transform;
  return {
    ...{ name, reader, labelShape, classes, seed, oversample },
    transform: rest,
    mean: extentsOf(mean),
    random: phase === 'train',
  };
}

/** Looks at all labels that can be had without reading the items. @throws {FormatError} for one that is none of the classes */
async function checkLabels(dataset: Dataset, { classes, signal }: Settled): Promise<void> {
  if (classes === undefined || !dataset.label) return;
  const pace = new Pace(signal);
  for (let index = 0; index < dataset.length; index++) {
    checkLabel(`${dataset.name}, item ${index}`, dataset.label(index), classes);
    if (index % 1024 === 0 && pace.due) await pace.rest();
  }
}

/** What the first picture that can be read becomes, and the places that were looked at. */
async function findForm(
  crew: Crew,
  places: Places,
  tally: Tally,
  name: string,
): Promise<{ form: Form; seen: readonly Place[] }> {
  const seen: Place[] = [];
  for (;;) {
    const [place] = await places.take(1);
    if (!place) throw new FormatError(`${name}: expected at least one picture, got none`);
    seen.push(place);
    const form = await crew.form(place);
    if ('shape' in form) return { form, seen };
    tally.add(place.index, form);
  }
}
