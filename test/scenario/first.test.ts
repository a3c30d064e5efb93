import { describe, expect, test } from 'vitest'
import { decide } from '../../src/explore/verdict.js'
import { make_scenario } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/system.js'

const plain = make_scenario({
  name: 'plain-read',
  summary: 'A script changes between the check and the read',
  params: { access: ['read', 'read-then-check'], attack: [true, false] },
  build(s, { access, attack }) {
    const root = s.filesystem('root', { type: 'tmpfs', tree: { script: { file: 'good', mode: 0o755 } } })
    s.mount('/', root)
    const victim = s.victim('interpreter')
    const fd = victim.open('/script', 'O_RDONLY')
    const check = () => victim.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    if (access === 'read') {
      const relies = check()
      victim.use(victim.read(fd, 4096), { relies })
    } else {
      const bytes = victim.read(fd, 4096)
      victim.use(bytes, { relies: check() })
    }
    const attacker = s.attacker('attacker')
    if (!attack) {
      attacker.stat('/nothing')
      return
    }
    const out = attacker.open('/script', 'O_WRONLY')
    attacker.write(out, 'evil')
    attacker.close(out)
  },
})

describe('a scenario of two tasks on tmpfs', () => {
  test.each(plain.cases.map((each) => [JSON.stringify(each.form.params), each] as const))('%s', (_, each) => {
    const verdict = decide(case_system(each))
    expect(verdict.verdict).toBe(each.form.params!.attack ? 'race' : 'safe')
    if (each.form.params!.attack) expect(verdict.property).toBe('check-use')
    console.log(
      verdict.report.states,
      verdict.counterexample?.preemptions,
      verdict.counterexample?.schedule.length,
      verdict.unwitnessed,
    )
  })
})
