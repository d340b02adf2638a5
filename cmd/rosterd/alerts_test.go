package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	alertText = `{"id":"a1","organisation":"acme","kind":"run_held","subject_type":"connection","subject":"entra","severity":"warning","state":"open",` +
		`"title":"run held on entra (12 removals)","text":"It holds 12 removals for approval, which is rather more than a run may do without anybody saying so.\n\nApply it:\n  rosterd runs approve 0195b1c2-1111-7222-8333-444455556666",` +
		`"details":null,"opened_at":"2026-11-24T04:20:00Z","resolved_at":null,"last_seen_at":"2026-11-24T04:21:00Z",` +
		`"deliveries":[{"id":"d1","channel":"email","what":"opened","state":"sent","attempts":1,"created_at":"2026-11-24T04:20:00Z","next_attempt_at":null,"sent_at":"2026-11-24T04:20:01Z","error":""},` +
		`{"id":"d2","channel":"webhook","what":"opened","state":"waiting","attempts":2,"created_at":"2026-11-24T04:20:00Z","next_attempt_at":"2026-11-24T04:22:00Z","sent_at":null,"error":"it answered 500"}]}`
	alertView = `{"deliveries":[{"attempts":1,"channel":"email","created_at":"2026-11-24T04:20:00Z","error":"","id":"d1","next_attempt_at":null,"sent_at":"2026-11-24T04:20:01Z","state":"sent","what":"opened"},` +
		`{"attempts":2,"channel":"webhook","created_at":"2026-11-24T04:20:00Z","error":"it answered 500","id":"d2","next_attempt_at":"2026-11-24T04:22:00Z","sent_at":null,"state":"waiting","what":"opened"}],` +
		`"details":{},"id":"a1","kind":"run_held","last_seen_at":"2026-11-24T04:21:00Z","opened_at":"2026-11-24T04:20:00Z","organisation":"acme","resolved_at":null,"severity":"warning","state":"open","subject":"entra","subject_type":"connection",` +
		`"text":"It holds 12 removals for approval, which is rather more than a run may do without anybody saying so.\n\nApply it:\n  rosterd runs approve 0195b1c2-1111-7222-8333-444455556666","title":"run held on entra (12 removals)"}`
)

func TestAlertsReadWellOn80Columns(t *testing.T) {
	long := strings.Repeat("long-", 12)
	lengthy := strings.NewReplacer(`"acme"`, `"`+long+`"`, "run held on entra", "run held on "+long, `"a1"`, `"a2"`).Replace(alertText)
	open := `{"id":"a","organisation":"acme","kind":"run_held","subject":"entra","severity":"critical","title":"runs fail on entra","opened_at":"2026-11-24T04:20:00Z"}`
	f := startDaemon(t, map[string][]string{
		"GET /alerts": {page(alertText, lengthy)},
		"GET /status": {`{"version":"v1","database":"sqlite","connections":[],"alerts":[` + strings.Repeat(open+",", 6) + open + `]}`},
	})
	for line, wants := range map[string][]string{
		"alerts list": {"ID ", "warning  acme: run held on entra (12 removal…", "  failing\n"},
		"alerts show a1": {"\nstate         open, warning, run_held\n", "\nemail         opened: sent, 1 attempt, 2026-11-24", "it answered\n              500\n",
			"\n\nApply it:\n  rosterd runs approve 0195b1c2-1111-7222-8333-444455556666\n"},
		"status": {"\n7 open alerts:\n  critical  acme: runs fail on entra\n", "  see them: rosterd alerts list\n"},
	} {
		got := f.rosterd(context.Background(), line)
		for text := range strings.Lines(got.out) {
			if n := utf8.RuneCountInString(strings.TrimRight(text, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", line, n, text)
			}
		}
		for _, want := range wants {
			if !strings.Contains(got.out, want) {
				t.Errorf("%s: no %q in\n%s%s", line, want, got.out, got.errOut)
			}
		}
	}
	if got := f.rosterd(context.Background(), "status"); strings.Count(got.out, "runs fail on entra") != 5 {
		t.Errorf("not the first five alone:\n%s", got.out)
	}
	if got := f.rosterd(context.Background(), "alerts show a9"); got.code != exitFailed || !strings.Contains(got.errOut, "no alert \"a9\": `rosterd alerts list --all") {
		t.Errorf("an unknown one: %+v", got)
	}
}
