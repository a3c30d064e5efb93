import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { format_policy, IPE_OPS, type IpePolicy } from '../../../src/lsm/ipe/policy.js'
import { type PolicyError, parse_policy } from '../../../src/lsm/ipe/policy_parser.js'

const HEADER = 'policy_name=p policy_version=1.2.3\n'
const ALLOW = 'DEFAULT action=ALLOW\n'

function accepted(text: string): IpePolicy {
  const result = parse_policy(text)
  if ('error' in result) throw new Error(JSON.stringify(result.error))
  return result.policy
}

function refused(text: string): PolicyError {
  const result = parse_policy(text)
  if ('policy' in result) throw new Error(`accepted: ${JSON.stringify(text)}`)
  return result.error
}

type Refusal = readonly [
  name: string,
  text: string,
  errno: PolicyError['errno'],
  line: number,
  column: number,
  message: string,
]

function refuses(cases: readonly Refusal[]) {
  test.each(cases)('%s', (_name, text, errno, line, column, message) => {
    const error = refused(text)
    expect(error).toEqual({ errno, line, column, message: expect.stringContaining(message) })
  })
}

describe('what the kernel accepts', () => {
  test('a header and a global default', () => {
    const table = { default_action: null, rules: [] }
    expect(accepted(`${HEADER}${ALLOW}`)).toEqual({
      name: 'p',
      version: [1, 2, 3],
      rules: Object.fromEntries(IPE_OPS.map((op) => [op, table])),
      global_default_action: 'ALLOW',
    })
  })

  test('a policy is plain data', () => {
    const policy = accepted(`${HEADER}${ALLOW}op=EXECUTE dmverity_roothash=sha256:AB action=DENY`)
    expect(JSON.parse(JSON.stringify(policy))).toEqual(policy)
  })

  test('a default for every operation stands for the global one', () => {
    const policy = accepted(HEADER + IPE_OPS.map((op) => `DEFAULT op=${op} action=DENY\n`).join(''))
    expect(policy.global_default_action).toBeNull()
    expect(IPE_OPS.map((op) => policy.rules[op].default_action)).toEqual(IPE_OPS.map(() => 'DENY'))
  })

  test.each(IPE_OPS)('rules of %s keep their order', (op) => {
    const rules = `op=${op} boot_verified=TRUE action=ALLOW\nop=${op} action=DENY`
    expect(accepted(`${HEADER}${ALLOW}${rules}`).rules[op].rules).toEqual([
      { op, props: [{ name: 'boot_verified', value: true }], action: 'ALLOW' },
      { op, props: [], action: 'DENY' },
    ])
  })

  test('every property, in both forms, and twice', () => {
    const line =
      'op=EXECUTE boot_verified=FALSE boot_verified=TRUE dmverity_signature=TRUE dmverity_signature=FALSE ' +
      'fsverity_signature=TRUE fsverity_signature=FALSE dmverity_roothash=sha256:0aF fsverity_digest=sha512:00 ' +
      'boot_verified=FALSE action=ALLOW'
    expect(accepted(`${HEADER}${ALLOW}${line.replace('0aF', '0aFb')}`).rules.EXECUTE.rules[0]?.props).toEqual(
      [
        { name: 'boot_verified', value: false },
        { name: 'boot_verified', value: true },
        { name: 'dmverity_signature', value: true },
        { name: 'dmverity_signature', value: false },
        { name: 'fsverity_signature', value: true },
        { name: 'fsverity_signature', value: false },
        { name: 'dmverity_roothash', value: { alg: 'sha256', hex: '0afb' } },
        { name: 'fsverity_digest', value: { alg: 'sha512', hex: '00' } },
        { name: 'boot_verified', value: false },
      ],
    )
    expect(refused(`${HEADER}${ALLOW}${line}`).errno).toBe('EINVAL')
  })

  test.each([
    ['sha256:', { alg: 'sha256', hex: '' }],
    [':ab', { alg: '', hex: 'ab' }],
    [':', { alg: '', hex: '' }],
    ['No-Such=Hash:ab', { alg: 'No-Such=Hash', hex: 'ab' }],
  ])('the digest %s, for neither algorithm nor length is judged', (digest, value) => {
    const policy = accepted(`${HEADER}${ALLOW}op=EXECUTE fsverity_digest=${digest} action=DENY`)
    expect(policy.rules.EXECUTE.rules[0]?.props).toEqual([{ name: 'fsverity_digest', value }])
  })

  test('spaces and tabs before, between and after words', () => {
    const policy = accepted(' \tpolicy_name=p \t policy_version=0.0.0\t \n\t DEFAULT\t \taction=DENY  \t\n')
    expect(policy.global_default_action).toBe('DENY')
  })

  test('vertical tab and form feed at the end of a line', () => {
    expect(accepted(`policy_name=p policy_version=0.0.0\v\f \nDEFAULT action=DENY\f\v\n\v\n`).name).toBe('p')
  })

  test.each([
    ['LF', '\n'],
    ['CR', '\r'],
    ['CR LF', '\r\n'],
    ['empty lines', '\n\n\r\r\n'],
  ])('%s as line end', (_name, eol) => {
    const policy = accepted(['policy_name=p policy_version=0.0.0', 'DEFAULT action=DENY', ''].join(eol))
    expect(policy.global_default_action).toBe('DENY')
  })

  test('comments before the header, behind a line, glued to a word and on their own', () => {
    const text =
      '# first\npolicy_name=p policy_version=0.0.0 # x\n #\tonly\nDEFAULT action=DENY#glued\n' +
      'op=EXECUTE action=ALLOW #op=EXECUTE'
    expect(accepted(text).rules.EXECUTE.rules).toHaveLength(1)
  })

  test('the text ends at a NUL', () => {
    expect(accepted(`${HEADER}DEFAULT action=DENY\n\0rubbish`).global_default_action).toBe('DENY')
  })

  test('any characters in the name', () => {
    const name = '$@!*&^%%\\:;{}()=\v"é\u{1f600}\u00a0'
    expect(accepted(`policy_name=${name} policy_version=0.0.0\n${ALLOW}`).name).toBe(name)
  })

  test.each([
    ['0.0.0', [0, 0, 0]],
    ['65535.65535.65535', [65535, 65535, 65535]],
    ['+1.+02.003', [1, 2, 3]],
    ['00000000000000000000000000007.0.0', [7, 0, 0]],
  ])('the version %s', (version, numbers) => {
    expect(accepted(`policy_name=p policy_version=${version}\n${ALLOW}`).version).toEqual(numbers)
  })
})

describe('the header', () => {
  refuses([
    ['empty text', '', 'EBADMSG', 1, 1, 'the policy is empty'],
    ['only comments', '# a\n  # b\n', 'EBADMSG', 3, 1, 'the policy is empty'],
    ['NUL first', `\0${HEADER}${ALLOW}`, 'EBADMSG', 1, 1, 'a NUL follows'],
    [
      'NUL between its words',
      `policy_name=p\0 policy_version=0.0.0\n${ALLOW}`,
      'EBADMSG',
      1,
      14,
      'lacks policy_version',
    ],
    ['a rule first', ALLOW, 'EBADMSG', 1, 1, "expected policy_name=…, found 'DEFAULT'"],
    [
      'version first',
      `policy_version=0.0.0 policy_name=p\n${ALLOW}`,
      'EBADMSG',
      1,
      1,
      'expected policy_name',
    ],
    ['no version', ` policy_name=p # c\n${ALLOW}`, 'EBADMSG', 1, 15, 'the header lacks policy_version'],
    ['two names', `policy_name=p policy_name=q\n${ALLOW}`, 'EBADMSG', 1, 15, 'expected policy_version'],
    ['empty name', `policy_name= policy_version=0.0.0\n${ALLOW}`, 'EBADMSG', 1, 1, 'expected policy_name'],
    ['empty version', `policy_name=p policy_version=\n${ALLOW}`, 'EBADMSG', 1, 15, 'expected policy_version'],
    ['a third word', `policy_name=p policy_version=0.0.0 x\n${ALLOW}`, 'EBADMSG', 1, 36, "found 'x'"],
    [
      'upper-case key',
      `POLICY_NAME=p policy_version=0.0.0\n${ALLOW}`,
      'EBADMSG',
      1,
      1,
      'expected policy_name',
    ],
    [
      'not on one line',
      `policy_name=p\npolicy_version=0.0.0\n${ALLOW}`,
      'EBADMSG',
      1,
      14,
      'lacks policy_version',
    ],
    ['a vertical tab between', `policy_name=p\vpolicy_version=0.0.0\n${ALLOW}`, 'EBADMSG', 1, 35, 'lacks'],
    ['a byte order mark', `\ufeff${HEADER}${ALLOW}`, 'EBADMSG', 1, 1, '\\u{feff}policy_name'],
    ['a second one', `${HEADER}${ALLOW}${HEADER}`, 'EBADMSG', 3, 1, 'belongs in the header'],
  ])
})

describe('the version', () => {
  const version = (text: string) => `# c\npolicy_name=p policy_version=${text}\n${ALLOW}`
  refuses([
    ['negative', version('-1.0.0'), 'EINVAL', 2, 30, 'expected a number'],
    ['two signs', version('++1.0.0'), 'EINVAL', 2, 30, 'expected a number'],
    ['hexadecimal', version('1.0x2.0'), 'EINVAL', 2, 32, "expected a decimal number, found '0x2'"],
    ['letters', version('a.0.0'), 'EINVAL', 2, 30, 'expected a number'],
    ['an empty part', version('1..3'), 'EINVAL', 2, 32, 'found nothing'],
    ['letters behind', version('1.2.3b'), 'EINVAL', 2, 34, "'3b'"],
    ['other digits', version('1.2.٣'), 'EINVAL', 2, 34, 'expected a number'],
    ['a no-break space behind', version('1.2.3\u00a0'), 'EINVAL', 2, 34, "'3\\u{a0}'"],
    ['above 16 bits', version('1.65536.0'), 'ERANGE', 2, 32, 'greater than 65535'],
    ['above 16 bits, letters behind', version('65536b.0.0'), 'EINVAL', 2, 30, 'decimal'],
    [
      'the greatest of 64 bits, letters behind',
      version('18446744073709551615b.0.0'),
      'EINVAL',
      2,
      30,
      'decimal',
    ],
    ['above 64 bits, letters behind', version('18446744073709551616b.0.0'), 'ERANGE', 2, 30, 'greater'],
    [
      'above 64 bits by a digit, letters behind',
      version('100000000000000000000b.0.0'),
      'ERANGE',
      2,
      30,
      'greater',
    ],
    ['very long', version(`${'9'.repeat(100_000)}.0.0`), 'ERANGE', 2, 30, 'greater'],
    ['one part', version('1'), 'EBADMSG', 2, 31, 'has 1'],
    ['two parts', version('1.2'), 'EBADMSG', 2, 33, 'has 2'],
    ['four parts', version('1.2.3.x'), 'EBADMSG', 2, 36, 'found more'],
    ['an end with a dot', version('1.2.3.'), 'EBADMSG', 2, 36, 'found more'],
    ['a bad part before the count', version('1.x.3.4'), 'EINVAL', 2, 32, "'x'"],
    ['before a third word', version('1.2 x'), 'EBADMSG', 2, 33, 'has 2'],
  ])
})

describe('rules', () => {
  const line = (text: string) => `${HEADER}${ALLOW}${text}`
  refuses([
    [
      'an unknown operation',
      line('op=UNKNOWN action=DENY'),
      'EBADMSG',
      3,
      1,
      "unknown operation 'op=UNKNOWN'",
    ],
    ['a lower-case operation', line('op=execute action=DENY'), 'EBADMSG', 3, 1, 'case matters: op=EXECUTE'],
    [
      'a property first',
      line(' boot_verified=TRUE op=EXECUTE action=DENY'),
      'EBADMSG',
      3,
      2,
      'operation first',
    ],
    ['an action first', line('action=DENY op=EXECUTE'), 'EBADMSG', 3, 1, 'operation first'],
    [
      'an action inside',
      line('op=EXECUTE action=DENY boot_verified=TRUE'),
      'EBADMSG',
      3,
      12,
      'must be the last',
    ],
    ['two actions', line('op=EXECUTE action=DENY action=DENY'), 'EBADMSG', 3, 12, 'must be the last word'],
    ['two operations', line('op=EXECUTE op=KMODULE action=DENY'), 'EBADMSG', 3, 12, 'found a second'],
    [
      'an unknown property',
      line('op=EXECUTE colour=red action=DENY'),
      'EBADMSG',
      3,
      12,
      'dmverity_roothash=ALG:HEX',
    ],
    [
      'an unknown value',
      line('op=EXECUTE dmverity_signature=abc action=DENY'),
      'EBADMSG',
      3,
      12,
      'unknown property',
    ],
    [
      'a lower-case value',
      line('op=EXECUTE boot_verified=true action=DENY'),
      'EBADMSG',
      3,
      12,
      'boot_verified=TRUE',
    ],
    [
      'an empty digest',
      line('op=EXECUTE fsverity_digest= action=DENY'),
      'EBADMSG',
      3,
      12,
      'unknown property',
    ],
    [
      'no action',
      line('op=EXECUTE boot_verified=TRUE'),
      'EBADMSG',
      3,
      12,
      'must end in action=ALLOW or action=DENY',
    ],
    ['nothing but an operation', line('op=EXECUTE'), 'EBADMSG', 3, 1, 'must end in'],
    ['an unknown action', line('op=EXECUTE action=DEN'), 'EBADMSG', 3, 12, "found 'action=DEN'"],
    ['a lower-case action', line('op=EXECUTE action=deny'), 'EBADMSG', 3, 12, 'case matters: action=DENY'],
    ['nothing but an action', line('action=DENY'), 'EBADMSG', 3, 1, 'a rule begins with its operation'],
    ['a vertical tab between', line('op=EXECUTE\vaction=DENY'), 'EBADMSG', 3, 1, '\\u{b}'],
    ['a no-break space between', line('op=EXECUTE\u00a0action=DENY'), 'EBADMSG', 3, 1, '\\u{a0}'],
    ['a no-break space behind', line('op=EXECUTE action=DENY\u00a0'), 'EBADMSG', 3, 12, '\\u{a0}'],
    [
      'the third line with CR LF',
      line('x action=DENY').replaceAll('\n', '\r\n'),
      'EBADMSG',
      3,
      1,
      "found 'x'",
    ],
    ['the third line with CR', line('x action=DENY').replaceAll('\n', '\r'), 'EBADMSG', 3, 1, "found 'x'"],
    ['a terminal escape', line('\u001b[31m action=DENY'), 'EBADMSG', 3, 1, "'\\u{1b}[31m'"],
    ['a long word', line(`${'x'.repeat(41)} action=DENY`), 'EBADMSG', 3, 1, `'${'x'.repeat(40)}…'`],
    ['a very long word', line(`${'x'.repeat(5000)} action=DENY`), 'EBADMSG', 3, 1, `'${'x'.repeat(40)}…'`],
  ])
})

describe('digests', () => {
  const digest = (text: string) => `${HEADER}${ALLOW}op=EXECUTE dmverity_roothash=${text} action=DENY`
  refuses([
    ['no colon', digest('1c0d7ee1'), 'EBADMSG', 3, 30, "there is no ':'"],
    ['an odd digit', digest('sha256:abc'), 'EINVAL', 3, 40, 'found 3 digits'],
    ['not hexadecimal', digest('sha256:abxd'), 'EINVAL', 3, 39, "found 'x'"],
    ['a second colon', digest('sha256:ab:c'), 'EINVAL', 3, 39, "found ':'"],
    ['0x', digest('sha256:0xab'), 'EINVAL', 3, 38, "found 'x'"],
    [
      'in a DEFAULT',
      `${HEADER}DEFAULT op=EXECUTE fsverity_digest=a:b action=DENY`,
      'EINVAL',
      2,
      39,
      '1 digits',
    ],
    ['a comment within', digest('sha256:a#b'), 'EBADMSG', 3, 12, 'must end in'],
  ])
})

describe('defaults', () => {
  const line = (text: string) => `${HEADER}${ALLOW}${text}`
  const some = 'DEFAULT op=EXECUTE action=DENY\nDEFAULT op=POLICY action=DENY'
  refuses([
    ['none', HEADER, 'EBADMSG', 2, 1, 'no default for EXECUTE, FIRMWARE, KMODULE, KEXEC_IMAGE'],
    [
      'some',
      `${HEADER}${some}`,
      'EBADMSG',
      3,
      30,
      'no default for FIRMWARE, KMODULE, KEXEC_IMAGE, KEXEC_INITRAMFS',
    ],
    ['behind a NUL', `${HEADER}\0${ALLOW}`, 'EBADMSG', 2, 1, 'a NUL follows'],
    ['a property-less rule is none', `${HEADER}op=EXECUTE action=ALLOW`, 'EBADMSG', 2, 24, 'no default'],
    ['a second global one', line('  DEFAULT action=DENY'), 'EBADMSG', 3, 3, 'the first is on line 2'],
    [
      'a second one of an operation',
      line(`\n${some}\n${some}`),
      'EBADMSG',
      6,
      1,
      'for op=EXECUTE; the first is on line 4',
    ],
    [
      'properties',
      line('DEFAULT op=POLICY boot_verified=TRUE action=DENY'),
      'EBADMSG',
      3,
      19,
      'no properties',
    ],
    [
      'properties and a wrong action',
      line('DEFAULT op=POLICY boot_verified=TRUE x'),
      'EBADMSG',
      3,
      38,
      'must end in',
    ],
    [
      'properties without an operation',
      line('DEFAULT boot_verified=TRUE action=DENY'),
      'EBADMSG',
      3,
      9,
      'operation first',
    ],
    [
      'DEFAULT alone',
      line('DEFAULT'),
      'EBADMSG',
      3,
      1,
      "must end in action=ALLOW or action=DENY, found 'DEFAULT'",
    ],
    ['DEFAULT twice', line('DEFAULT DEFAULT action=DENY'), 'EBADMSG', 3, 9, "found 'DEFAULT'"],
    ['DEFAULT not first', line('op=EXECUTE DEFAULT action=DENY'), 'EBADMSG', 3, 12, 'must be the first word'],
    ['lower case', line('default action=DENY'), 'EBADMSG', 3, 1, 'case matters: DEFAULT'],
    ['no action', line('DEFAULT op=POLICY'), 'EBADMSG', 3, 9, 'must end in'],
    ['an action without equals', line('DEFAULT op=EXECUTE action'), 'EBADMSG', 3, 20, "found 'action'"],
    ['an unknown operation', line('DEFAULT op=NONE action=DENY'), 'EBADMSG', 3, 9, 'unknown operation'],
  ])

  test('the same action twice is refused all the same', () => {
    expect(refused(`${HEADER}${ALLOW}${ALLOW}`)).toMatchObject({ errno: 'EBADMSG', line: 3, column: 1 })
  })
})

describe('properties of the parser', () => {
  const word = fc.constantFrom(
    'policy_name=p',
    'policy_version=1.2.3',
    'policy_version=1.70000.x',
    'DEFAULT',
    'op=EXECUTE',
    'op=X509_CERT',
    'action=ALLOW',
    'action=DENY',
    'boot_verified=TRUE',
    'dmverity_roothash=sha256:ab',
    'fsverity_digest=:x',
    '#',
    '\0',
    '\v',
    '\ud800',
  )
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(fc.tuple(word, fc.constantFrom(' ', '\t', '\n', '\r\n', '')), { maxLength: 30 })
      .map((a) => a.flat().join('')),
    fc.string({ maxLength: 60 }).map((tail) => HEADER + ALLOW + tail),
  )

  test('garbage never throws, and an error lies within the text', () => {
    fc.assert(
      fc.property(garbage, (text) => {
        const result = parse_policy(text)
        if ('policy' in result) return
        const { errno, line, column, message } = result.error
        const lines = text.split(/\r\n|\n|\r/)
        expect(['EBADMSG', 'EINVAL', 'ERANGE']).toContain(errno)
        expect(line).toBeGreaterThanOrEqual(1)
        expect(line).toBeLessThanOrEqual(lines.length)
        expect(column).toBeGreaterThanOrEqual(1)
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
        expect(message).toMatch(/^[^\p{Cc}]+$/u)
      }),
      { numRuns: 2000 },
    )
  })

  test('what is accepted can be written down and read again', () => {
    const line = fc
      .array(
        word.filter((w) => !'#\0'.includes(w)),
        { maxLength: 3 },
      )
      .map((words) => `op=EXECUTE ${words.join(' ')} action=ALLOW`)
    fc.assert(
      fc.property(fc.array(line, { maxLength: 2 }), (lines) => {
        const result = parse_policy(HEADER + ALLOW + lines.join('\n'))
        if ('policy' in result) expect(accepted(format_policy(result.policy))).toEqual(result.policy)
        else expect(result.error.line).toBeGreaterThanOrEqual(3)
      }),
      { numRuns: 500 },
    )
  })
})
