/**
 * Makes up to `count` things, up to `width` of them at once, and yields them in their order, until one is undefined. When the
 * caller stops early, what is under way ends unheard.
 */
export async function* ahead<T>(
  count: number,
  width: number,
  make: (index: number) => Promise<T>,
): AsyncGenerator<Exclude<T, undefined>> {
  const started: Promise<T>[] = [];
  let next = 0;
  for (let index = 0; index < count; index++) {
    for (; next < count && next < index + width; next++) started.push(heard(make(next)));
    const one = await started.shift()!;
    if (one === undefined) return;
    yield one as Exclude<T, undefined>;
  }
}

/** Yields what `source` does, which works on while the caller is busy: up to `depth` values further. */
export async function* eager<T>(source: AsyncGenerator<T>, depth: number): AsyncGenerator<T> {
  const started: Promise<IteratorResult<T>>[] = [];
  try {
    for (;;) {
      while (started.length <= depth) started.push(heard(source.next()));
      const { done, value } = (await started.shift()!) as IteratorResult<T, undefined>;
      if (done) return;
      yield value;
    }
  } finally {
    void heard(source.return(undefined));
  }
}

/** Its failure is told when its turn comes, or nobody waits for it any more. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
