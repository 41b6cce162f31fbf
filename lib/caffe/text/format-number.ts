/** Digits as C's `%.{digits}g` prints them. */
function general(value: number, digits: number): string {
  const [mantissa = '0', power = '0'] = value.toExponential(digits - 1).split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return trim(value.toFixed(Math.max(digits - 1 - exponent, 0)));
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${trim(mantissa)}e${exponent < 0 ? '-' : '+'}${size}`;
}

function trim(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

/**
 * A number as Caffe's own tools print it: with 6 digits if they give back the same value, else with 9; a `double` with
 * 15 or 17.
 */
export function formatNumber(value: number, type: 'float' | 'double'): string {
  const exact = type === 'float' ? Math.fround(value) : value;
  if (Number.isNaN(exact)) return 'nan';
  if (!Number.isFinite(exact)) return exact > 0 ? 'inf' : '-inf';
  if (exact === 0) return Object.is(exact, -0) ? '-0' : '0';
  const [few, many] = type === 'float' ? [6, 9] : [15, 17];
  const text = general(exact, few);
  const back = type === 'float' ? Math.fround(Number(text)) : Number(text);
  return back === exact ? text : general(exact, many);
}
