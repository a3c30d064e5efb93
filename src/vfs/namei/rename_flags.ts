/** include/uapi/linux/fs.h: what renameat2 is asked to do. */
export const RENAME_NOREPLACE = 1
export const RENAME_EXCHANGE = 2
export const RENAME_WHITEOUT = 4
