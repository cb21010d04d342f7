/** The catalogue of the page's language, the same that the server wrote the page from. */
const strings = await (await fetch(`/i18n/${document.documentElement.dataset.catalogue}.json`)).json();

/**
 * A string by its key, with its blanks filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [blanks]
 */
export function t(key, blanks = {}) {
  const text = strings[key] ?? key;
  return text.replace(/\{([a-z]+)\}/g, (whole, name) => (name in blanks ? String(blanks[name]) : whole));
}

/** Whether there is such a string. @param {string} key */
export function has(key) {
  return key in strings;
}

const language = document.documentElement.lang;
const formats = new Map();

/** A number with so many digits after the point. @param {number} value @param {number} [digits] */
export function number(value, digits = 0) {
  if (!Number.isFinite(value)) return '–';
  if (!formats.has(digits)) {
    // A clock that is 0.04 ms behind is not "-0.0" ahead.
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'negative' };
    formats.set(digits, new Intl.NumberFormat(language, options));
  }
  return formats.get(digits).format(value);
}
