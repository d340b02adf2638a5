package config

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/configs"
)

func FuzzParseNeverPanics(f *testing.F) {
	f.Add(configs.Sample)
	f.Add(strings.ReplaceAll(configs.Sample, "\n#", "\n"))
	f.Add("listen: &a :1\npublic_url: *a\n<<: {a: b}\n? [x]\n: y\n")
	f.Add("connections:\n  - {organisation: a, name: b, kind: entra, entra: {client_secret: '${env:X}', tenant_id: !!binary x}}\n")
	f.Add("connections:\n  - {name: b, kind: okta, schedule: {delta: '*/5 * * * *', full: '@daily', timezone: Asia/Tokyo, jitter: 1m}}\n  - {schedule: {full: 'TZ=0'}}\n")
	f.Add("connections: [[], {}, null, 1, |-\n x\n]\n--- \n...\n")
	env := func(name string) (string, bool) { return "value", name == "X" }
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "${file:") {
			t.Skip("reads files")
		}
		c := Default()
		for _, problem := range parse("f", []byte(text), env, c) {
			if !strings.HasPrefix(problem.Error(), "f:") {
				t.Errorf("a problem without its place: %v", problem)
			}
		}
		_ = c.Redacted()
	})
}
