export {
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  readCheckpoint,
  saveCheckpoint,
  type Checkpoint,
} from './checkpoint.js';
