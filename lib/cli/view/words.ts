/** A time as people say it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  const two = (n: number): string => String(n).padStart(2, '0');
  return hours === 0 ? `${minutes} min ${two(whole % 60)} s` : `${hours} h ${two(minutes % 60)} min`;
}

/** A number to `digits` digits that count, without zeros behind them; 0.001 and 1e-5 as people write rates. */
export function short(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits)));
}

/** A loss or an accuracy: always as wide, so that columns of them do not jump. */
export function metric(value: number): string {
  const magnitude = Math.abs(value);
  return magnitude >= 1e6 || (magnitude > 0 && magnitude < 1e-4) ? value.toExponential(2) : value.toPrecision(4);
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Names and values in a row. */
export function metrics(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${metric(value)}`)
    .join('  ');
}

/** Images a second. */
export function speed(images: number): string {
  return `${images < 100 ? images.toFixed(1) : count(images)} images/s`;
}
