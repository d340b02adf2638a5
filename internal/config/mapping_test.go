package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/config"
)

const mapped = `connections:
  - organisation: default
    name: entra
    kind: entra
    entra: { tenant_id: 01234567-89ab-cdef-0123-456789abcdef, service_principal_id: 01234567-89ab-cdef-0123-456789abcdef,
      graph_url: "http://127.0.0.1:1", access_token: any }
    mapping:
`

func loadMapped(t *testing.T, lines string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rosterd.yaml")
	if err := os.WriteFile(path, []byte(mapped+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, func(string) (string, bool) { return "", false })
}

func TestAMappingStandsOnTopOfItsKinds(t *testing.T) {
	c, err := loadMapped(t, `      displayName: '= Join(" ", givenName, surname)'
      emails[type eq "work"].value: userPrincipalName
      urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: department
      name.givenName: none
`)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Connections[0].MappingOf()
	if err != nil {
		t.Fatal(err)
	}
	if shown := c.Redacted(); !strings.Contains(shown, "mapping:") || !strings.Contains(shown, "name.givenName: none") {
		t.Errorf("it shows %s", shown)
	}
	want := `department givenName surname userPrincipalName`
	if got := strings.Join(m.Sources(), " "); got != want {
		t.Errorf("reads %s, want %s", got, want)
	}
}

func TestAMistakeInAMappingIsNamedWithItsLine(t *testing.T) {
	for lines, want := range map[string]string{
		"      displayName: '= Jion(givenName)'\n": `:8: the mapping of connection entra: the expression of displayName, at character 2: there is no function "Jion" (did you mean "Join"?)`,
		"      displayname: mail\n":                `:8: unknown key "displayname" in the mapping of connection entra (did you mean "displayName"?)`,
		"      displayName: givenNam\n":            `:8: the mapping of connection entra: displayName: "givenNam" is no attribute that is read from Graph (did you mean "givenName"?)`,
		"      displayName: Trim(mail)\n":          `begins with =`,
		"      userName: none\n":                   `userName can't be none`,
	} {
		if _, err := loadMapped(t, lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s got %v, want %s", lines, err, want)
		}
	}
}

func TestALineOfAMappingMayHaveSettings(t *testing.T) {
	c, err := loadMapped(t, `      title: { from: jobTitle, empty: clear }
      nickName:
        from: '= ToLower(mailNickname)'
        default: "(none)"
      active: '= userType == "Member"'
      team:
        displayName: '= RegexReplace(displayName, "^SG-App-", "")'
        externalId: none
    scope: department == "Sales"
`)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Connections[0].MappingOf()
	if err != nil {
		t.Fatal(err)
	}
	w := m.ToMember(&connectors.User{Enabled: true, Attributes: map[string]string{"department": "Sales", "userType": "Guest"}}, 0)
	if !slices.Equal(w.Clear, []string{"title"}) || w.Values["nickName"] != "(none)" || w.Enabled || w.Gone != "" {
		t.Errorf("got %+v", w)
	}
	if w := m.ToMember(&connectors.User{Enabled: true, Attributes: map[string]string{"department": "IT"}}, 0); w.Gone == "" {
		t.Errorf("in scope is %+v", w)
	}
	if g := m.ToTeam(&connectors.Group{ObjectID: "g", Attributes: map[string]string{"displayName": "SG-App-Sales"}}, 0); g.DisplayName != "Sales" || g.ExternalID != "" {
		t.Errorf("the team is %+v", g)
	}
	shown := c.Redacted()
	for _, part := range []string{"empty: clear", "from: jobTitle", "default: (none)", "team:", "externalId: none", `scope: = department == "Sales"`, "active: "} {
		if !strings.Contains(shown, part) {
			t.Errorf("%q is missing in %s", part, shown)
		}
	}
}

func TestAMistakeInALinesSettingsIsNamedWithItsLine(t *testing.T) {
	for lines, want := range map[string]string{
		"      title: { from: jobTitle, empty: drop }\n":              `:8: empty "drop" is not known: write keep or clear`,
		"      title: { form: jobTitle }\n":                           `:8: unknown key "form" in title in the mapping of connection entra`,
		"      title: { empty: clear }\n":                             `from is missing in title in the mapping of connection entra: write from: jobTitle`,
		"      title: { from: jobTitl }\n":                            `:8: the mapping of connection entra: title: "jobTitl" is no attribute`,
		"      title: { from: jobTitle, empty: clear, default: x }\n": `:8: the mapping of connection entra: title has a default`,
		"      userName: { from: mail, empty: clear }\n":              `userName can't be cleared`,
		"      title: [jobTitle]\n":                                   `:8: title must be text`,
		"      active: true\n":                                        `:8: active must be text: put it in double quotes`,
		"      active: none\n":                                        `:8: the mapping of connection entra: active can't be none`,
		"      team: displayName\n":                                   `:8: the mapping of teams of connection entra must be settings`,
		"      team: { name: displayName }\n":                         `:8: unknown key "name" in the mapping of teams of connection entra`,
		"      team: { displayName: surname }\n":                      `:8: the mapping of teams of connection entra: displayName: "surname" is no attribute of a group`,
		"      title: jobTitle\n    scope: '= deparment == \"x\"'\n":  `:9: the scope of connection entra: in the expression, at character 2: "deparment" is no attribute that is read from Graph (did you mean "department"?)`,
		"      title: jobTitle\n    scope: { department: Sales }\n":   `:9: scope must be text`,
		"      title: jobTitle\n    scope: '= InStr(mail, \"@\")'\n":  `it is a number`,
	} {
		if _, err := loadMapped(t, lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s got %v, want %s", lines, err, want)
		}
	}
}
