/**
 * Makes one thing of each, up to `width` of them at once, and yields them in the order of the source as soon as they are
 * there, whether or not the source has more to give. When the caller stops early, what is under way ends unheard.
 */
export async function* inOrder<A, B>(
  source: Iterable<A> | AsyncIterable<A>,
  width: number,
  make: (each: A) => Promise<B>,
): AsyncGenerator<B> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const started: Promise<B>[] = [];
  let next: Promise<IteratorResult<A>> | undefined = pull(iterator);
  try {
    while (next || started.length > 0) {
      const given: IteratorResult<A> | undefined = await first(started.length < width ? next : undefined, started[0]);
      if (!given) yield await started.shift()!;
      else if (given.done) next = undefined;
      else {
        const one = make(given.value);
        // Its failure is told when its turn comes.
        one.catch(() => undefined);
        started.push(one);
        next = pull(iterator);
      }
    }
  } finally {
    // Not awaited: a source that never gives another would hold up the end.
    if (next) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

async function pull<A>(iterator: Iterator<A> | AsyncIterator<A>): Promise<IteratorResult<A>> {
  return iterator.next();
}

/** What the source gives, or nothing once the first thing that was started is made (or has failed). */
function first<A>(
  next: Promise<IteratorResult<A>> | undefined,
  head: Promise<unknown> | undefined,
): Promise<IteratorResult<A> | undefined> {
  const made = head?.then(
    () => undefined,
    () => undefined,
  );
  return Promise.race([made, next].filter((each) => each !== undefined));
}
