import { find } from './lib/dom.js';

/** A name that nobody else has picked: short enough to be read out, random enough for a class. */
find('[data-do="own-room"]').addEventListener('click', () => {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  const name = [...bytes].map((byte) => letters[byte % letters.length]).join('');
  location.href = `/?room=room-${name}`;
});
document.body.dataset.ready = 'true';
