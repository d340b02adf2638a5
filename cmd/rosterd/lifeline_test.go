package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is to be known of a lifeline and of blackout windows reads well on 80 columns.
func TestALifelineAndABlackoutReadWellOn80Columns(t *testing.T) {
	const more = `"lifeline":{"since":"2026-11-24T03:05:00Z","cause":"pushes_stopped","reason":"pushes stopped: the last one was at 2026-11-23T22:41:07Z, and runs found 4 changes in the identity provider since that no push brought"},
		"blackout":{"windows":["Mon-Fri 08:00-18:00","2026-12-24..2027-01-02"],"timezone":"Europe/Berlin","now":true,"until":"2026-11-24T17:00:00Z","next":"2026-11-25T07:00:00Z","next_until":"2026-11-25T17:00:00Z"}`
	d := startDaemon(t, map[string][]string{
		"GET /status": {`{"version":"v1","database":"postgres","connections":[{"organisation":"default","name":"entra","kind":"entra","state":"ok",
			"quarantine":null,"last_run":null,"next_delta":"2026-11-24T17:00:00Z","next_full":null,"drift":{},` + more + `}]}`},
		"GET /orgs/default/connections/entra": {`{"name":"entra","kind":"entra","state":"ok","target":"t1","members":1,"teams":1,` + more + `,
			"lifelines":[{"since":"2026-11-24T03:05:00Z","cause":"pushes_stopped","reason":"the one that goes on"},
				{"since":"2026-10-01T03:05:00Z","cause":"quarantine","reason":"the job was in quarantine","until":"2026-10-02T03:05:00Z","ended":"a push came at 2026-10-02T03:04:00Z"}]}`},
	})
	for command, want := range map[string][]string{
		"status": {"\n  lifeline    since 2026-11-24", "runs take the place of pushes", "\n  blackout    no run starts by itself until 2026-11-24 17:00 UTC\n"},
		"connection show entra --org default": {
			"\n  lifeline    since 2026-11-24", "\n  blackout    Mon-Fri 08:00-18:00, 2026-12-24..2027-01-02 (Europe/Berlin);", "the next one begins", "and ends",
			"\n  lifelines   2026-10-01", "the job was in quarantine; a push came",
		},
	} {
		got := d.rosterd(context.Background(), command)
		for line := range strings.Lines(got.out) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", command, n, line)
			}
		}
		for _, text := range want {
			if !strings.Contains(got.out, text) && !strings.Contains(strings.Join(strings.Fields(got.out), " "), text) {
				t.Errorf("%s: no %q in\n%s%s", command, text, got.out, got.errOut)
			}
		}
		if strings.Contains(got.out, "the one that goes on") {
			t.Errorf("%s: what goes on is said twice in\n%s", command, got.out)
		}
	}
}
