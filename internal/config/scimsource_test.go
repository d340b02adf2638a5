package config_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
)

const scimSource = `connections:
  - organisation: default
    name: hr
    kind: scim-source
` + scimSettings

const scimSettings = `    scim:
      url: https://scim.example.com/v2/
      token: ${env:SET}
      users_filter: 'userType eq "Em(ployee\"" and (active eq true or emails[type eq "work"] pr)'
      groups_filter: displayName sw "app-"
`

func TestASCIMServerIsReadByURLTokenAndFilters(t *testing.T) {
	got, err := config.Load(write(t, scimSource), environment("SET", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	want := config.SCIMSource{
		URL: "https://scim.example.com/v2", Token: "hush", GroupsFilter: `displayName sw "app-"`,
		UsersFilter: `userType eq "Em(ployee\"" and (active eq true or emails[type eq "work"] pr)`,
	}
	if c := got.Connections[0]; c.Kind != config.KindSCIMSource || *c.SCIM != want {
		t.Errorf("got %+v", *c.SCIM)
	}
	shown := got.Redacted()
	for _, line := range []string{"scim:", "url: https://scim.example.com/v2", `token: "[secret]"`, "groups_filter: displayName sw"} {
		if !strings.Contains(shown, line) || strings.Contains(shown, "hush") {
			t.Errorf("no %q, or a secret, in\n%s", line, shown)
		}
	}
}

func TestProblemsOfASCIMSource(t *testing.T) {
	const filter = `groups_filter: displayName sw "app-"`
	for name, tc := range map[string]struct{ old, new, want string }{
		"section missing":  {scimSettings, "", "FILE:2: scim is missing in connection hr: write scim: { url: ..., token: ... }"},
		"push only":        {"scim-source", "scim", "FILE:5: scim settings belong to kind scim-source, and this is kind scim: take them out, or write kind: scim-source"},
		"of another kind":  {"    scim:", "    okta: { org_url: \"https://acme.okta.com\", app_id: 0oa1, api_token: \"${env:SET}\" }\n    scim:", "FILE:5: okta settings belong to kind okta, and this is kind scim-source"},
		"unknown key":      {"url:", "uri:", `unknown key "uri" in the scim settings of connection hr (did you mean "url"?)`},
		"url missing":      {"      url: https://scim.example.com/v2/\n", "", "FILE:6: url is missing in the scim settings of connection hr: write url: https://scim.example.com/v2"},
		"plain http":       {"https:", "http:", "FILE:6: url may be plain http on a loopback address only (127.0.0.1, ::1, localhost): write https://scim.example.com"},
		"url with a query": {"v2/", "v2?x=1", "FILE:6: url must not have a query or fragment"},
		"token missing":    {"      token: ${env:SET}\n", "", "FILE:6: token is missing in the scim settings of connection hr: write token: ${env:SCIM_TOKEN}"},
		"literal token":    {"${env:SET}", "literal", "FILE:7: token must not stand in the file itself: write token: ${env:SCIM_TOKEN}"},
		"a text not ended": {filter, `groups_filter: displayName sw "app-`, `FILE:9: groups_filter "displayName sw \"app-" has a quotation mark or bracket that is not closed`},
		"a bracket less":   {filter, `groups_filter: displayName pr) or (id pr`, "FILE:9: groups_filter \"displayName pr) or (id pr\" has a quotation mark or bracket"},
		"a line break":     {filter, `groups_filter: "a pr\nand b pr"`, "FILE:9: groups_filter holds a line break"},
		"a long filter":    {filter, "groups_filter: " + strings.Repeat("x", 2001), "FILE:9: groups_filter is longer than 2000 characters"},
		"delta":            {filter, filter + "\n    schedule:\n      full: \"@hourly\"\n      delta: \"@hourly\"", "FILE:12: delta can't be had of kind scim-source"},
		"mapping":          {filter, filter + "\n    mapping: { displayName: surname }", `FILE:10: the mapping of connection hr: displayName: "surname" is no attribute that is read from a SCIM server`},
		"mapping, near":    {filter, filter + "\n    mapping: { displayName: '= Trim(name.givenNam)' }", `did you mean "name.givenName"?`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(scimSource, tc.old, tc.new, 1)
			if text == scimSource {
				t.Fatal("nothing was changed")
			}
			if got := problems(t, text, environment("SET", "hush")); !strings.Contains(got, tc.want) || strings.Contains(got, "hush") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestASCIMSourceTakesASchedule(t *testing.T) {
	text := scimSource + "    schedule: { full: \"@hourly\" }\n    mapping: { title: title, displayName: '= Join(\" \", name.givenName, name.familyName)' }\n"
	got, err := config.Load(write(t, text), environment("SET", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Connections[0]; c.Schedule == nil || c.Schedule.Full != "@hourly" || len(c.Mapping) != 2 {
		t.Errorf("got %s", got.Redacted())
	}
}

// Who pushes alone has nothing to take attributes from; a kind that isn't known is said once.
func TestAMappingNeedsAPull(t *testing.T) {
	for kind, want := range map[string]string{
		"scim": "FILE:2: mapping is for connections that rosterd pulls from, and kind scim is push only: take it out",
		"ldap": `FILE:2: kind "ldap" is not known: write entra, okta, or scim-source; or scim for push only`,
	} {
		got := problems(t, "connections:\n  - { organisation: a, name: b, kind: "+kind+", mapping: { title: title } }\n", noEnv)
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
