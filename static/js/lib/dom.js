/**
 * Makes an element. Children that are strings become text: nothing that came over the wire is ever parsed
 * as HTML.
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The one element within another that a selector names. @param {string} selector @param {ParentNode} [root] */
export function find(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Adds to the top of a list and lets the oldest go. */
export function prepend(list, item, most) {
  list.prepend(item);
  while (list.childElementCount > most) list.lastElementChild.remove();
}

/** The time of day with milliseconds, as logs show it. */
export function timeOfDay(date = new Date()) {
  const two = (value) => String(value).padStart(2, '0');
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** The page's room: the path of the channel that everything on it uses. */
export const channel = `/channels/${document.body.dataset.room}`;
