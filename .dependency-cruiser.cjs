// The import rules of the design, section 1: imports point one way. `npm run imports` checks them, for
// imports of types too, since a type that points the wrong way is the beginning of a call that does.

/** Each part of src/, and what it may import of src/ besides itself. */
const layers = {
  kernel: {
    may: [],
    why: 'The kernel is the bare machine (state, stages, locks, step) and the two dispatch tables. It must not know who is plugged into them.',
  },
  vfs: {
    may: ['kernel'],
    why: 'The VFS reaches file systems and security modules only through the dispatch tables, as in Linux.',
  },
  integrity: {
    may: ['kernel', 'vfs'],
    why: 'dm-verity, fs-verity and image formats sit under the VFS operations and know nothing of their consumers.',
  },
  overlay: {
    may: ['kernel', 'vfs', 'integrity'],
    why: 'OverlayFS is one file system among others: exec and the security modules meet it only through d_real and the operations.',
  },
  exec: {
    may: ['kernel', 'vfs', 'integrity'],
    why: 'exec asks the LSM chain through the hook table, and does not know which file system it reads from.',
  },
  lsm: {
    may: ['kernel', 'vfs', 'integrity'],
    why: 'A security module sees only what its hook is given; if it knew overlay or exec, the races between them could not appear.',
  },
  explore: {
    may: ['kernel'],
    why: 'A search knows only the machine (step, footprints, hashes), so every reduction holds for any model, and never for one file system by luck.',
  },
}

const model = ['kernel', 'vfs', 'integrity', 'overlay', 'exec', 'lsm']
const any_of = (names) => `^src/(${names.join('|')})/`

/** The parts that stand upon the whole model, and what each may import besides. */
const upon_model = {
  scenario: {
    may: [],
    why: 'A scenario is data about the model. It must mean the same whoever searches, draws or confirms it.',
  },
  verdict: {
    may: ['scenario', 'explore'],
    why: 'A verdict is what a search says of a scenario: its cause, its witnesses, which calls matter. How it is drawn, or played on a kernel, is for others.',
  },
  shell: {
    may: ['scenario', 'trace'],
    why: 'The shell drives the model call by call and prints as traces do; it runs in a browser too, so it knows neither the command line nor real kernels.',
  },
}

const layer_rule = (name, why, may) => ({
  name: `layer-${name}`,
  comment: why,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: { path: '^(src|scenarios|web|test|bench)/', pathNot: may },
})

const layer_rules = [
  ...Object.entries(layers).map(([name, { may, why }]) => layer_rule(name, why, any_of([name, ...may]))),
  ...Object.entries(upon_model).map(([name, { may, why }]) =>
    layer_rule(name, why, [any_of([...model, name, ...may]), '^src/model\\.ts$']),
  ),
]

module.exports = {
  forbidden: [
    ...layer_rules,
    {
      name: 'layer-model',
      comment:
        'src/model.ts composes the parts of the kernel into one; it is a model, and knows no scenario, search or renderer.',
      severity: 'error',
      from: { path: '^src/model\\.ts$' },
      to: { path: '^(src|scenarios|web|test|bench)/', pathNot: any_of(model) },
    },
    {
      name: 'layer-trace',
      comment:
        'Renderers are used by the oracle, the command line and the browser, so they depend on none of these.',
      severity: 'error',
      from: { path: '^src/trace/' },
      to: { path: '^(src/(oracle|shell|cli)|scenarios|web|test|bench)/' },
    },
    {
      name: 'recorder-without-renderers',
      comment: 'A trace is data; whoever wants it as JSON alone, or draws it himself, needs no renderer.',
      severity: 'error',
      from: { path: '^src/trace/(record/|[^/]+\\.ts$)' },
      to: { path: '^src/trace/render/' },
    },
    {
      name: 'one-way-to-the-command-line',
      comment:
        'A scenario whose file is run explores itself as the command line would (src/index.ts). Nothing else that is published knows the command line.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/', '^src/index\\.ts$'] },
      to: { path: '^src/cli/' },
    },
    {
      name: 'layer-oracle',
      comment: 'Playing on a real kernel is a library; the command line is one of its users.',
      severity: 'error',
      from: { path: '^src/oracle/' },
      to: { path: '^(src/cli|scenarios|web|test|bench)/' },
    },
    {
      name: 'entry-points-on-top',
      comment:
        'src/index.ts and src/fast-check.ts are what users import. An import of them from inside would be a cycle, or a second way to the same thing.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(index|fast-check)\\.ts$' },
      to: { path: '^src/(index|fast-check)\\.ts$' },
    },
    {
      name: 'src-not-to-its-users',
      comment:
        "What is published must not import tests, benchmarks or the browser page; the command line finds scenarios by name at run time, as it finds a user's.",
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(scenarios|web|test|bench|tools)/' },
    },
    {
      name: 'scenarios-through-the-front-door',
      comment:
        'The shipped scenarios are the examples that users copy, so they use only what a user can: the package by its name.',
      severity: 'error',
      from: { path: '^scenarios/' },
      to: { path: '^(src|web|test|bench|tools)/', pathNot: '^src/(index|fast-check)\\.ts$' },
    },
    {
      name: 'web-without-node-parts',
      comment:
        'The browser explorer runs the same engine in a worker; the oracle and the command line need Node.',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^(src/(oracle|cli)|test|bench)/' },
    },
    {
      name: 'node-modules-only-where-there-is-node',
      comment:
        'Only oracle and cli (and test, bench and tools, which are not shipped) may touch the machine they run on: the rest runs in a browser, and is deterministic.',
      severity: 'error',
      from: { pathNot: '^(src/(oracle|cli)|test|bench|tools)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'engine-packages',
      comment:
        'The model and the search are the trusted core: their one package is immer, the reference store.',
      severity: 'error',
      from: { path: ['^src/(kernel|vfs|integrity|overlay|exec|lsm|explore)/', '^src/model\\.ts$'] },
      to: { path: 'node_modules/', pathNot: 'node_modules/immer/' },
    },
    {
      name: 'fast-check-at-the-edge',
      comment:
        'Whoever imports `toctoscope` alone must not load fast-check; it serves toctoscope/fast-check and the conformance generator.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/fast-check(\\.ts$|/)', '^src/(oracle|cli)/'] },
      to: { path: ['node_modules/fast-check/', '^src/fast-check/'] },
    },
    {
      name: 'terminal-packages-at-the-edge',
      comment: 'Option parsing and the loading of TypeScript at run time belong to the command line.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: 'node_modules/(commander|tsx)/' },
    },
    {
      name: 'no-dev-packages',
      comment: 'What is published must run where the development packages are not installed.',
      severity: 'error',
      from: { path: '^(src|scenarios)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circular',
      comment:
        'Parts that need each other cannot be understood or tested one at a time; nor can their types.',
      severity: 'error',
      from: { path: '^(src|scenarios|web)/' },
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'An import that cannot be resolved would escape every rule above.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '^dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
