/** The version of the program: of the model too, so a schedule means the same only under the same version. */
export const VERSION = '0.1.0'
