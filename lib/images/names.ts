/** How names of picture files end, in lower case. */
export const PICTURE_EXTENSIONS = 'jpg jpeg jpe jfif png webp gif avif tif tiff svg'.split(' ');

const PICTURE = new RegExp(`\\.(${PICTURE_EXTENSIONS.join('|')})$`, 'i');

/** Whether a file is a picture by its name. */
export function isPictureName(name: string): boolean {
  return PICTURE.test(name);
}
