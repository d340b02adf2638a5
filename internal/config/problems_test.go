package config_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
)

// entry is a connection of which TestProblems varies one line.
const entry = `connections:
  - organisation: default
    name: entra
    kind: entra
    entra:
      tenant_id: 00000000-0000-0000-0000-000000000000
      client_id: 00000000-0000-0000-0000-000000000000
      client_secret: ${env:SET}
      service_principal_id: 00000000-0000-0000-0000-000000000000
      graph_url: https://graph.microsoft.com
    policy: { settle: 10m }
`

func TestProblems(t *testing.T) {
	env := environment("SET", "hush", "EMPTY", "")
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":           {"", "lisen: :1\n", `FILE:1: unknown key "lisen" in the file (did you mean "listen"?)`},
		"unknown, nothing near": {"", "colour: red\n", `FILE:1: unknown key "colour" in the file`},
		"unknown, deep":         {"tenant_id", "tenantid", `FILE:6: unknown key "tenantid" in the entra settings of connection entra (did you mean "tenant_id"?)`},
		"twice":                 {"    kind: entra\n", "    kind: entra\n    kind: scim\n", "FILE:5: kind is set twice, first in line 4"},
		"GUID":                  {"client_id: 0", "client_id: z", `FILE:7: client_id "z0000000-0000-0000-0000-000000000000" is not a GUID`},
		"name":                  {"name: entra", "name: Entra", `FILE:3: name "Entra" must be lower-case letters`},
		"name, a number":        {"name: entra", "name: 12", `FILE:3: name must be text: put it in double quotes`},
		"organisation missing":  {"organisation: default", "organisation:", "FILE:2: organisation is missing in the connection: write organisation: default"},
		"kind missing":          {"    kind: entra\n", "", "FILE:2: kind is missing in connection entra: write kind: entra"},
		"kind unknown":          {"kind: entra", "kind: ldap", `FILE:4: kind "ldap" is not known: write entra, okta, or scim`},
		"kind okta":             {"kind: entra", "kind: okta", "FILE:2: okta is missing in connection entra: write okta: { org_url: ..., app_id: ..., api_token: ... }"},
		"settings of another":   {"kind: entra", "kind: scim", "FILE:5: entra settings belong to kind entra"},
		"plain http":            {"https://graph", "http://graph", "FILE:10: graph_url may be plain http on a loopback address only (127.0.0.1, ::1, localhost): write https://graph.microsoft.com"},
		"loopback look-alike":   {"https://graph.microsoft.com", "http://127.0.0.1.example.com", "FILE:10: graph_url may be plain http"},
		"credentials in a URL":  {"https://graph", "https://u:literal@graph", "FILE:10: graph_url must not hold a user name or password"},
		"token off loopback":    {"client_secret: ${env:SET}", "access_token: literal", "FILE:8: access_token works only with a graph_url that is plain http on a loopback address"},
		"token on https loopback": {"client_secret: ${env:SET}\n      service_principal_id: 00000000-0000-0000-0000-000000000000\n      graph_url: https://graph.microsoft.com",
			"access_token: literal\n      service_principal_id: 00000000-0000-0000-0000-000000000000\n      graph_url: https://127.0.0.1", "FILE:8: access_token works only"},
		"token and secret":    {"https://graph.microsoft.com", "http://127.0.0.1\n      access_token: literal", "FILE:11: access_token stands in for client_secret: keep one of the two"},
		"literal secret":      {"${env:SET}", "literal", "FILE:8: client_secret must not stand in the file itself: write client_secret: ${env:ENTRA_CLIENT_SECRET}"},
		"secret, a number":    {"${env:SET}", "4711", "FILE:8: client_secret must be text"},
		"secret, two parts":   {"${env:SET}", "literal${env:SET}", "FILE:8: client_secret must be one reference and nothing else"},
		"secret missing":      {"      client_secret: ${env:SET}\n", "", "FILE:6: client_secret is missing in the entra settings of connection entra: write client_secret: ${env:ENTRA_CLIENT_SECRET}"},
		"variable not set":    {"${env:SET}", "${env:UNSET}", "FILE:8: client_secret refers to the environment variable UNSET, which is not set"},
		"variable empty":      {"${env:SET}", "${env:EMPTY}", "FILE:8: client_secret refers to the environment variable EMPTY, which is empty"},
		"file not there":      {"${env:SET}", "${file:/nowhere/x}", "FILE:8: client_secret refers to a file that can't be read: open /nowhere/x"},
		"file too large":      {"${env:SET}", "${file:/dev/zero}", "FILE:8: client_secret refers to the file /dev/zero, which is larger than"},
		"reference elsewhere": {"name: entra", "name: ${env:SET}", "FILE:3: name takes no reference"},
		"settle":              {"10m", "10 minutes", `FILE:11: settle "10 minutes" is not a duration: write a number and a unit`},
		"pull_deadline":       {"settle: 10m", "pull_deadline: 5s", `FILE:11: pull_deadline "5s" is no time for reading everything: write a number and a unit, from 1m to 24h`},
		"match, unknown":      {"    policy", "    match: [upn]\n    policy", `FILE:11: match: "upn" is no rule: write some of id, externalId, userName, email`},
		"match, twice":        {"    policy", "    match: [email, email]\n    policy", "FILE:11: match has email twice"},
		"match, empty":        {"    policy", "    match: []\n    policy", "FILE:11: match is empty"},
		"match, no list":      {"    policy", "    match: email\n    policy", `FILE:11: match must be a list: begin each entry with "- userName"`},
		"settle, negative":    {"10m", "-1m", `FILE:11: settle "-1m" is not a duration`},
		"adopt_local":         {"settle: 10m", "adopt_local: always", `FILE:11: adopt_local "always" is not known: write never or by_email`},
		"listen":              {"", "listen: \"8080\"\n", `FILE:1: listen "8080" is not an address: write host:port`},
		"listen, port":        {"", "listen: :99999\n", `FILE:1: listen ":99999" has no port between 0 and 65535`},
		"listen, host":        {"", "listen: \"a b:1\"\n", `FILE:1: listen "a b:1" has no valid host`},
		"public_url":          {"", "public_url: id.example.com\n", "FILE:1: public_url must be an absolute http or https URL"},
		"public_url, ftp":     {"", "public_url: ftp://id.example.com\n", "FILE:1: public_url must be an absolute http or https URL"},
		"database password":   {"", "database_url: postgres://u:literal@db/x\n", "FILE:1: database_url must not hold a password in the file"},
		"database query":      {"", "database_url: postgres://db/x?password=literal\n", "FILE:1: database_url must not hold a password in the file"},
		"database scheme":     {"", "database_url: mysql://db/x\n", "FILE:1: database_url must begin with postgres://"},
		"not a list":          {"  - organisation: default\n", "    organisation: default\n", "FILE:1: connections must be a list"},
		"not a mapping":       {"policy: { settle: 10m }", "policy: strict", "FILE:11: the policy of connection entra must be settings"},
		"an alias":            {"name: entra", "name: &n entra", "FILE:3: name must be text: write the value itself, without anchors"},
		"syntax":              {"", "listen: [\n", "FILE:1: YAML syntax: "},
		"two documents":       {"connections:", "listen: :1\n---\nconnections:", "FILE:3: a second document starts here"},
		"duplicate":           {"    policy: { settle: 10m }\n", "  - { organisation: default, name: entra, kind: scim }\n", `FILE:11: the organisation default has a connection "entra" already, in line 2`},
	} {
		t.Run(name, func(t *testing.T) {
			text := tc.new
			if tc.old != "" {
				text = strings.Replace(entry, tc.old, tc.new, 1)
			}
			got := problems(t, text, env)
			if !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if strings.Contains(got, "hush") || strings.Contains(got, "literal") && !strings.Contains(tc.want, "literal") {
				t.Errorf("the message repeats a secret: %s", got)
			}
		})
	}
}

func TestProblemsOfOkta(t *testing.T) {
	const settings = `connections:
  - organisation: default
    name: okta
    kind: okta
    okta:
      org_url: https://acme.okta.com
      app_id: 0oa1
      api_token: ${env:SET}
`
	for name, tc := range map[string]struct{ old, new, want string }{
		"console's address":  {"acme.okta", "acme-admin.okta", "FILE:6: org_url is the admin console's address: take -admin out"},
		"path":               {"okta.com", "okta.com/app", "FILE:6: org_url must be the org's address alone, without a path"},
		"plain http":         {"https:", "http:", "FILE:6: org_url may be plain http on a loopback address only"},
		"app_id":             {"0oa1", "0oa1/users", `FILE:7: app_id "0oa1/users" is not an id of Okta`},
		"literal token":      {"${env:SET}", "literal", "FILE:8: api_token must not stand in the file itself: write api_token: ${env:OKTA_API_TOKEN}"},
		"token missing":      {"      api_token: ${env:SET}\n", "", "FILE:6: api_token is missing in the okta settings of connection okta: write api_token: ${env:OKTA_API_TOKEN}, or client_id and private_key in its place"},
		"token and key":      {"0oa1", "0oa1\n      private_key: ${env:KEY}", "FILE:8: private_key is for signing in with a private key, and api_token for signing in without: keep one of the two"},
		"token and client":   {"0oa1", "0oa1\n      client_id: 0oa2", "FILE:8: client_id is for signing in with a private key"},
		"token and scopes":   {"0oa1", "0oa1\n      scopes: [okta.users.read]", "FILE:8: scopes is for signing in with a private key"},
		"key without client": {"api_token: ${env:SET}", "private_key: ${env:KEY}", "FILE:6: client_id is missing in the okta settings of connection okta: write client_id: 0oa1b2c3d4"},
		"client without key": {"api_token: ${env:SET}", "client_id: 0oa2", `FILE:6: private_key is missing in the okta settings of connection okta: write private_key: "${file:`},
		"literal key":        {"api_token: ${env:SET}", "private_key: literal", "FILE:8: private_key must not stand in the file itself: write private_key: ${env:OKTA_PRIVATE_KEY}"},
		"no key":             {"api_token: ${env:SET}", "private_key: ${env:SET}", "FILE:8: private_key refers to what is no private key in PEM"},
		"client_id":          {"api_token: ${env:SET}", "client_id: My app", `FILE:8: client_id "My app" is not an id of Okta`},
		"key_id":             {"api_token: ${env:SET}", "key_id: a b", `FILE:8: key_id "a b" is not a key's id`},
		"scope":              {"api_token: ${env:SET}", "scopes: [openid]", `FILE:8: scopes: "openid" is no scope of Okta's API`},
		"scopes, a text":     {"api_token: ${env:SET}", "scopes: okta.users.read okta.apps.read", "FILE:8: scopes must be a list"},
		"scope, a number":    {"api_token: ${env:SET}", "scopes: [1]", "FILE:8: each of scopes must be text"},
		"teams":              {"0oa1", "0oa1\n      teams: all", `FILE:8: teams "all" is not known: write push, assigned or linked`},
		"suspended":          {"0oa1", "0oa1\n      suspended: on", `FILE:8: suspended "on" is not known: write off or keep`},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, strings.Replace(settings, tc.old, tc.new, 1), environment("SET", "hush", "KEY", "-----BEGIN PRIVATE KEY-----\nhush"))
			if !strings.Contains(got, tc.want) || strings.Contains(got, "hush") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestOktaByPrivateKey(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"
	path := write(t, `connections:
  - organisation: default
    name: okta
    kind: okta
    okta: { org_url: "https://acme.okta.com", app_id: 0oa1, client_id: 0oa2, private_key: "${env:KEY}", key_id: k-1, scopes: [okta.users.read, okta.apps.read] }
`)
	got, err := config.Load(path, environment("KEY", key+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := got.Connections[0].Okta
	if o.ClientID != "0oa2" || o.PrivateKey.Reveal() != key || o.KeyID != "k-1" || strings.Join(o.Scopes, " ") != "okta.users.read okta.apps.read" || o.APIToken != "" {
		t.Errorf("got %s", got.Redacted())
	}
	shown := got.Redacted()
	if strings.Contains(shown, "hush") || !strings.Contains(shown, `private_key: "[secret]"`) || !strings.Contains(shown, "client_id: 0oa2") {
		t.Errorf("shown as %s", shown)
	}
}

func TestScheduleProblems(t *testing.T) {
	const five = `write minute hour day month weekday, such as "0 3 * * *"`
	for name, tc := range map[string]struct{ schedule, want string }{
		"neither delta nor full":   {`{ timezone: UTC }`, `the schedule of connection entra has neither delta nor full: write full: "0 3 * * *"`},
		"empty":                    {`{ delta: "", full: "" }`, "has neither delta nor full"},
		"unknown key":              {`{ fulll: "0 3 * * *", delta: "@hourly" }`, `unknown key "fulll" in the schedule of connection entra (did you mean "full"?)`},
		"not a mapping":            {`"0 3 * * *"`, "the schedule of connection entra must be settings"},
		"a date that never comes":  {`{ full: "0 0 30 2 *" }`, `full "0 0 30 2 *" never comes: there is no such date; ` + five},
		"no minute at all":         {`{ full: ", 3 * * *" }`, `full ", 3 * * *" never comes`},
		"a time zone inside":       {`{ full: "TZ=Europe/Berlin 0 3 * * *" }`, `full "TZ=Europe/Berlin 0 3 * * *" holds a time zone: write the expression alone, and the zone in timezone`},
		"another time zone inside": {`{ delta: "CRON_TZ=UTC 0 3 * * *" }`, `delta "CRON_TZ=UTC 0 3 * * *" holds a time zone`},
		"what panics the parser":   {`{ full: "TZ=0" }`, `full "TZ=0" holds a time zone`},
		"a seconds field":          {`{ full: "0 0 3 * * *" }`, `full "0 0 3 * * *" has six fields, and cron has five fields: minute hour day month weekday; take the first away: "0 3 * * *"`},
		"too few fields":           {`{ full: "0 3 * *" }`, `full "0 3 * *" has 4 of the five fields of cron: ` + five},
		"too many fields":          {`{ full: "0 0 3 * * * *" }`, `full "0 0 3 * * * *" has 7 of the five fields of cron: ` + five},
		"a number":                 {`{ full: 3 }`, "full must be text: put it in double quotes"},
		"a minute too high":        {`{ full: "61 * * * *" }`, `full "61 * * * *" is not a cron expression: end of range (61) above maximum (59): 61; ` + five},
		"a word":                   {`{ full: "a 3 * * *" }`, `full "a 3 * * *" is not a cron expression: failed to parse int from a; ` + five},
		"a step of nothing":        {`{ delta: "*/0 * * * *" }`, "step of range should be a positive number"},
		"a descriptor unknown":     {`{ full: "@reboot" }`, `full "@reboot" is not known: write @hourly, @daily, @weekly, @monthly, @yearly or @every 10m`},
		"every, no duration":       {`{ full: "@every day" }`, `full "@every day" is not known`},
		"every few seconds":        {`{ delta: "@every 59s" }`, `delta "@every 59s" is too often: write @every 1m or longer`},
		"every, less than nothing": {`{ delta: "@every -1h" }`, "is too often"},
		"without quotes":           {`{ delta: */5 * * * * }`, `an expression that begins with * or @ must stand in double quotes, such as "*/5 * * * *"`},
		"a descriptor, no quotes":  {"\n      full: @daily", "an expression that begins with * or @ must stand in double quotes"},
		"zone unknown":             {`{ full: "0 3 * * *", timezone: Berlin }`, `timezone "Berlin" is not a known time zone: write a name of the IANA list, such as Europe/Berlin, or UTC`},
		"zone of the machine":      {`{ full: "0 3 * * *", timezone: Local }`, `timezone "Local" differs between machines: write the zone's name`},
		"zone as a path":           {`{ full: "0 3 * * *", timezone: ../UTC }`, `timezone "../UTC" is not a known time zone`},
		"jitter":                   {`{ full: "0 3 * * *", jitter: 30 seconds }`, `jitter "30 seconds" is not a duration: write a number and a unit, such as 30s or 5m, or 0s for none`},
		"jitter, negative":         {`{ full: "0 3 * * *", jitter: -1s }`, `jitter "-1s" is not a duration`},
		"lifeline":                 {`{ full: "0 3 * * *", lifeline: often }`, `lifeline "often" is not a duration of a minute or more: write a number and a unit, such as 5m, or off`},
		"lifeline, too short":      {`{ full: "0 3 * * *", lifeline: 30s }`, `lifeline "30s" is not a duration of a minute or more`},
		"lifeline, too long":       {`{ full: "0 3 * * *", lifeline: 25h }`, `lifeline "25h" is longer than a day: write 24h or less, or off`},
		"blackout, no list":        {`{ full: "0 3 * * *", blackout: "Mon-Fri 08:00-18:00" }`, `blackout must be a list: begin each entry with "- \"Mon-Fri 08:00-18:00\""`},
		"blackout, a number":       {`{ full: "0 3 * * *", blackout: [8] }`, "an entry of blackout must be text: put it in double quotes"},
		"blackout, a day unknown":  {`{ full: "0 3 * * *", blackout: ["Mo-Fr 08:00-18:00"] }`, `blackout "Mo-Fr 08:00-18:00" has a day that is not known, "Mo-Fr": write Mon, Tue, Wed, Thu, Fri, Sat or Sun`},
		"blackout, no such hour":   {`{ full: "0 3 * * *", blackout: ["Mon 08:00-25:00"] }`, `blackout "Mon 08:00-25:00" has no hours that can be read, "08:00-25:00": write them as 08:00-18:00`},
		"blackout, no time":        {`{ full: "0 3 * * *", blackout: ["08:00-08:00"] }`, `blackout "08:00-08:00" begins and ends at the same time, "08:00-08:00": write 00:00-24:00 for the whole day`},
		"blackout, no such date":   {`{ full: "0 3 * * *", blackout: ["2026-02-30"] }`, `blackout "2026-02-30" has no day "2026-02-30": write year-month-day`},
		"blackout, backwards":      {`{ full: "0 3 * * *", blackout: ["2027-01-02..2026-12-24"] }`, `ends before it begins: write the earlier day first`},
		"blackout, dates and more": {`{ full: "0 3 * * *", blackout: ["2026-12-24 08:00-18:00"] }`, `has more than dates: write dates alone`},
		"blackout, no window":      {`{ full: "0 3 * * *", blackout: ["Mon to Fri at night"] }`, `is not a window: write "Mon-Fri 08:00-18:00"`},
		"blackout without end":     {`{ full: "0 3 * * *", blackout: ["Mon-Fri", "Sat,Sun"] }`, "the windows of blackout leave no time in which a run could start: make one shorter"},
		"jitter, too long":         {`{ full: "0 3 * * *", jitter: 61m }`, `jitter "61m" is longer than an hour: write 1h or less`},
	} {
		t.Run(name, func(t *testing.T) {
			line := "FILE:11: "
			if strings.Contains(tc.schedule, "\n") {
				line = "FILE:12: "
			}
			text := strings.Replace(entry, "    policy", "    schedule: "+tc.schedule+"\n    policy", 1)
			got := problems(t, text, environment("SET", "hush"))
			if !strings.HasPrefix(got, line) || !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s%s", got, line, tc.want)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("more than one problem: %s", got)
			}
		})
	}
	got := problems(t, "connections:\n  - { organisation: a, name: b, kind: scim, schedule: { full: \"@daily\" } }\n", noEnv)
	if want := "FILE:2: schedule is for connections that rosterd pulls from, and kind scim is push only: take it out"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSchedulesThatAreFine(t *testing.T) {
	for _, schedule := range []string{
		`{ full: "0 3 * * *" }`, `{ delta: "*/5 * * * *" }`, `{ full: 0 3 * * * }`, `{ full: "@daily", delta: "@every 10m", timezone: America/New_York }`,
		`{ full: "@every 1m", jitter: 1h }`, `{ full: "0 0 29 2 *" }`, `{ full: "30 2 * jan-mar MON,fri", jitter: 0s }`,
		`{ full: "@daily", lifeline: off, blackout: ["Mon-Fri 08:00-18:00", "2026-12-24..2027-01-02", "22:00-06:00", "Sat,Sun", "daily 1:00-2:00", "Friday-Mon 23:00-24:00", "2026-12-24"] }`,
		`{ full: "@daily", lifeline: 1h, blackout: [] }`,
	} {
		text := strings.Replace(entry, "    policy", "    schedule: "+schedule+"\n    policy", 1)
		if _, err := config.Load(write(t, text), environment("SET", "hush")); err != nil {
			t.Errorf("%s: %v", schedule, err)
		}
	}
}

func TestAllProblemsAreReportedAtOnceInOrder(t *testing.T) {
	got := problems(t, `listen: nowhere
publik_url: https://x.example
connections:
  - name: X
    kind: entra
    entra: { tenant_id: x, client_secret: literal }
`, environment("ROSTERD_PUBLIC_URL", "x"))
	lines := strings.Split(got, "\n")
	prefixes := []string{"FILE:1: listen", "FILE:2: unknown key", "FILE:4: organisation is missing", "FILE:4: name", "FILE:6: ", "FILE:6: ", "FILE:6: ", "FILE:6: ", "ROSTERD_PUBLIC_URL: "}
	if len(lines) != len(prefixes) {
		t.Fatalf("%d problems:\n%s", len(lines), got)
	}
	for i, prefix := range prefixes {
		if !strings.HasPrefix(lines[i], prefix) {
			t.Errorf("line %d is %q, want %s", i, lines[i], prefix)
		}
	}
}
