package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/configs"
	"github.com/rosterd/rosterd/internal/config"
)

func TestAlertsAreRead(t *testing.T) {
	env := environment("PW", "hush", "SECRET", "whsec_aHVzaA==", "HOOK", "https://hooks.example.com/services/hush?x=hush")
	for text, want := range map[string]config.Alerts{
		"":                     {Remind: 24 * time.Hour},
		"alerts:\n":            {Remind: 24 * time.Hour},
		"alerts: {remind: 0h}": {},
		"alerts: {remind: 2d, email: {smtp: mail.example.com, from: r@example.com, to: it@example.com}}": {Remind: 48 * time.Hour,
			Email: &config.Email{SMTP: "mail.example.com:587", TLS: config.TLSStart, From: "r@example.com", To: []string{"it@example.com"}}},
		"alerts: {email: {smtp: 'mail.example.com:465', from: r@example.com, to: [a@x.y, 'B <b@x.y>'], username: u, password: '${env:PW}'}}": {Remind: 24 * time.Hour,
			Email: &config.Email{SMTP: "mail.example.com:465", TLS: config.TLSImplicit, From: "r@example.com", To: []string{"a@x.y", "B <b@x.y>"}, Username: "u", Password: "hush"}},
		"alerts: {email: {smtp: '127.0.0.1:1025', from: r@example.com, to: [a@x.y]}}": {Remind: 24 * time.Hour,
			Email: &config.Email{SMTP: "127.0.0.1:1025", TLS: config.TLSNone, From: "r@example.com", To: []string{"a@x.y"}}},
		"alerts: {email: {smtp: mail.example.com, tls: none, from: r@example.com, to: [a@x.y]}}": {Remind: 24 * time.Hour,
			Email: &config.Email{SMTP: "mail.example.com:25", TLS: config.TLSNone, From: "r@example.com", To: []string{"a@x.y"}}},
		"alerts: {webhook: {url: 'http://localhost:9/x'}}": {Remind: 24 * time.Hour, Webhook: &config.Webhook{URL: "http://localhost:9/x"}},
		"alerts: {webhook: {url: '${env:HOOK}', secret: '${env:SECRET}'}}": {Remind: 24 * time.Hour,
			Webhook: &config.Webhook{URL: "https://hooks.example.com/services/hush?x=hush", Secret: "whsec_aHVzaA=="}},
	} {
		got, err := config.Load(write(t, text), env)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !reflect.DeepEqual(got.Alerts, want) {
			t.Errorf("%s: %+v %+v", text, got.Alerts.Email, got.Alerts.Webhook)
		}
		if shown := got.Redacted(); strings.Contains(shown, "hush") || strings.Contains(shown, "aHVzaA") {
			t.Errorf("%s shows a secret:\n%s", text, shown)
		}
	}
}

func TestProblemsOfAlerts(t *testing.T) {
	const email = "alerts:\n  email:\n    smtp: mail.example.com:587\n    from: r@example.com\n    to: [it@example.com]\n    username: u\n    password: ${env:SET}\n"
	const hook = "alerts:\n  webhook:\n    url: https://hooks.example.com/x\n    secret: ${env:SET}\n"
	for name, tc := range map[string]struct{ text, old, new, want string }{
		"an unknown key":      {email, "smtp:", "host:", `FILE:3: unknown key "host" in email in alerts`},
		"no server":           {email, "    smtp: mail.example.com:587\n", "", "smtp is missing in email in alerts: write smtp: smtp.example.com:587"},
		"no port":             {email, ":587", ":0", `FILE:3: smtp "mail.example.com:0" has no port between 1 and 65535`},
		"no sender":           {email, "r@example.com", "rosterd", `FILE:4: from "rosterd" is not an email address`},
		"nobody":              {email, "[it@example.com]", "[]", "FILE:5: to has 0 addresses"},
		"no recipient":        {email, "    to: [it@example.com]\n", "", "to is missing in email in alerts: write to: [it@example.com]"},
		"a bad recipient":     {email, "[it@example.com]", "[it@example.com, it]", `FILE:5: to "it" is not an email address`},
		"tls":                 {email, "    from", "    tls: ssl\n    from", `tls "ssl" is not known: write starttls, implicit or none`},
		"a password, clear":   {email, "    from", "    tls: none\n    from", "password would travel in the clear with tls: none"},
		"a literal password":  {email, "${env:SET}", "hush", "password must not stand in the file itself: write password: ${env:SMTP_PASSWORD}"},
		"a password alone":    {email, "    username: u\n", "", "password is set without username"},
		"a user name alone":   {email, "    password: ${env:SET}\n", "", "username is set without password"},
		"a list for settings": {"alerts: []\n", "", "", "FILE:1: alerts must be settings"},
		"remind":              {"alerts: { remind: daily }\n", "", "", `FILE:1: remind "daily" is not a length of time`},
		"remind, too often":   {"alerts: { remind: 400d }\n", "", "", `FILE:1: remind "400d" is not between 1h and 366d`},
		"no url":              {hook, "    url: https://hooks.example.com/x\n", "", "url is missing in webhook in alerts"},
		"plain http":          {hook, "https", "http", "FILE:3: url may be plain http on a loopback address only"},
		"another scheme":      {hook, "https", "ftp", "FILE:3: url must be an absolute https URL"},
		"a literal secret":    {hook, "${env:SET}", "hush", "secret must not stand in the file itself: write secret: ${env:ALERT_WEBHOOK_SECRET}"},
		"a secret, no base64": {hook, "SET", "BAD", "secret refers to a text that begins with whsec_ and does not go on with base64: make one by: echo whsec_$(openssl rand -base64 32)"},
		"a url that isn't":    {hook, "https://hooks.example.com/x", "${env:SET}", "FILE:3: url must be an absolute https URL"},
	} {
		got := problems(t, strings.Replace(tc.text, tc.old, tc.new, 1), environment("SET", "hush", "BAD", "whsec_hush!"))
		if !strings.Contains(got, tc.want) || strings.Contains(got, "hush") {
			t.Errorf("%s: got  %s\nwant %s", name, got, tc.want)
		}
	}
}

func TestTheSamplesAlertsLoad(t *testing.T) {
	_, text, _ := strings.Cut(configs.Sample, "\nalerts:\n")
	text, _, _ = strings.Cut(text, "\n\n")
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#  ") { // what is commented out and no comment
			line = strings.TrimPrefix(line, "#")
		}
		lines = append(lines, line)
	}
	got, err := config.Load(write(t, "alerts:\n"+strings.Join(lines, "")), environment("SMTP_PASSWORD", "hush", "ALERT_WEBHOOK_SECRET", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Alerts; a.Email == nil || a.Email.TLS != config.TLSStart || a.Email.Username == "" || a.Webhook == nil || a.Webhook.Secret != "hush" {
		t.Errorf("read %+v", a)
	}
}
