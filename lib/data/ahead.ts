/**
 * Makes `count` things, up to `width` of them at once, and yields them in their order. When the caller stops early, what
 * is under way ends unheard.
 */
export async function* ahead<T>(count: number, width: number, make: (index: number) => Promise<T>): AsyncGenerator<T> {
  const started: Promise<T>[] = [];
  let next = 0;
  for (let index = 0; index < count; index++) {
    for (; next < count && next < index + width; next++) {
      const one = make(next);
      // Its failure is told when its turn comes.
      one.catch(() => undefined);
      started.push(one);
    }
    yield await started.shift()!;
  }
}
