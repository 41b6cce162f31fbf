import { parentPort, workerData } from 'node:worker_threads';
import { CortadoError, FormatError } from '../../errors.js';
import type { Item } from '../dataset.js';
import { open } from '../readers.js';
import { PictureMaker } from './maker.js';
import type { BadPicture, Form, Piece, Place, Setup, Sums, SumTask, Task } from './piece.js';
import { sumColours, sumPixels } from './sums.js';

/** What a thread is told. */
export type Request =
  | { readonly kind: 'form'; readonly place: Place }
  | { readonly kind: 'make'; readonly task: Task }
  | { readonly kind: 'sum'; readonly task: SumTask }
  | { readonly kind: 'close' };

/** What it answers, in the order of the requests. */
export type Answer =
  | { readonly kind: 'form'; readonly form: Form | BadPicture }
  | { readonly kind: 'make'; readonly piece: Piece }
  | { readonly kind: 'sum'; readonly sums: Sums }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

const setup = workerData as Setup;
const port = parentPort!;
const maker = new PictureMaker(setup);
/** Opened by the first request: what is wrong with it is an answer. */
const reader = open(setup.reader);
reader.catch(() => undefined);
let closing = false;

async function formOf(place: Place): Promise<Form | BadPicture> {
  const items = await reader;
  let item: Item | undefined;
  try {
    item = await items.read(place.ref);
    return await maker.form(item);
  } catch (error) {
    // Settings that do not fit the first picture fit none.
    if (error instanceof FormatError) return badPicture(error, place, item);
    throw error;
  }
}

async function make({ places, form }: Task): Promise<Piece> {
  const items = await reader;
  const rooms = maker.rooms(places.length, form);
  const names: string[] = [];
  const at: number[] = [];
  const bad: (BadPicture & { at: number })[] = [];
  for (const [i, place] of places.entries()) {
    if (closing) break;
    let item: Item | undefined;
    try {
      item = await items.read(place.ref);
      await maker.make(item, place, form, rooms.room(at.length));
      names.push(item.name);
      at.push(i);
    } catch (error) {
      if (!(error instanceof CortadoError)) throw error;
      bad.push({ at: i, ...badPicture(error, place, item) });
    }
  }
  const { pixels, labels, windows, shift } = rooms;
  return { at, names, pixels, labels, windows, shift, bad };
}

async function sum({ of, ...task }: SumTask): Promise<Sums> {
  const { pixels, at, bad } = await make(task);
  const add = of === 'pixels' ? sumPixels : sumColours;
  return { at, bad, values: add(pixels, task.form.shape, at.length) };
}

function badPicture({ message }: CortadoError, place: Place, item: Item | undefined): BadPicture {
  const name = item?.name ?? `${setup.name}, item ${place.index}`;
  const known = [`${name}: `, `${setup.name}: `].find((start) => message.startsWith(start)) ?? '';
  return { name, reason: message.slice(known.length) };
}

async function answer(request: Exclude<Request, { kind: 'close' }>): Promise<Answer> {
  try {
    if (request.kind === 'form') return { kind: 'form', form: await formOf(request.place) };
    if (request.kind === 'sum') return { kind: 'sum', sums: await sum(request.task) };
    return { kind: 'make', piece: await make(request.task) };
  } catch (error) {
    if (error instanceof CortadoError) return { kind: 'failed', code: error.code, message: error.message };
    throw error;
  }
}

async function close(): Promise<void> {
  await reader.then((items) => items.close()).catch(() => undefined);
  port.close();
}

let last = Promise.resolve();
port.on('message', (request: Request) => {
  closing ||= request.kind === 'close';
  last = last.then(async () => {
    if (request.kind === 'close') return close();
    const made = await answer(request);
    port.postMessage(made, made.kind === 'make' ? [made.piece.pixels.buffer as ArrayBuffer] : []);
  });
});
