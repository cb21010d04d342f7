import { board } from './board.js';
import { wireView } from './wire.js';

const [panel] = await board();
wireView([panel]);
