package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
