package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// fits holds that no line is wider than a screen, but for single words that can't be broken.
func (m *machine) fits(shown string) {
	m.t.Helper()
	for line := range strings.Lines(shown) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			m.t.Errorf("%d columns: %s", n, line)
		}
	}
}

// shows holds that what was printed has these words, wherever its lines end.
func (m *machine) shows(shown string, words ...string) {
	m.t.Helper()
	flat := strings.Join(strings.Fields(shown), " ")
	for _, w := range words {
		if !strings.Contains(flat, w) {
			m.t.Errorf("no %q in\n%s", w, shown)
		}
	}
}

// A mapping is tried on one person before any run carries it out, and nothing is written.
func TestE2EPreviewOfOnePerson(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 6, Members: 12, Groups: 2})
		m.configure(d.entry("default", "entra"))
		m.again()
		m.provision(d, m.token("default", "idp"))
		m.resync(exitDone, "done")
		m.configure(d.entry("default", "entra") + "    mapping:\n      displayName: '= Append(ToUpper(givenName), \"  \")'\n      title: '= Mid(mail, InStr(mail, \"#\"), 1)'\n")
		m.again()
		p, before := d.Desired()[0], len(asked[[]client.Run](m, exitDone, "runs list --org default"))
		line := "connection preview entra --org default --user " + p.UserPrincipalName
		got := asked[client.Preview](m, exitDone, line)
		if got.Link != "linked" || !got.InScope || got.ObjectID != p.ObjectID || got.MemberID == nil || got.Read["givenName"] != p.GivenName || len(got.Attributes) != 6 {
			m.t.Errorf("got %+v", got)
		}
		shown := m.want(exitDone, line).out
		m.fits(shown)
		m.shows(shown, "in scope: ", "from = Append(ToUpper(givenName)", `gives "`+strings.ToUpper(p.GivenName), "(differs)", "gives nothing: mid starts before",
			"userName from userPrincipalName gives "+p.UserPrincipalName+" here the same", "A resync would: update displayName", "Left as it is: the connection's mapping can't be worked out", "Nothing was written.")
		if !strings.Contains(shown, "    from  = Append(ToUpper(givenName), \"  \")\n") {
			m.t.Errorf("the expression is shown otherwise than it is written:\n%s", shown)
		}
		if after := len(asked[[]client.Run](m, exitDone, "runs list --org default")); after != before {
			m.t.Errorf("%d runs before, %d after", before, after)
		}

		joiner, err := d.AddUser(idpsim.User{UserPrincipalName: "joiner@contoso.example", DisplayName: "Joiner", GivenName: "Jo", Mail: "jo@mail.example"})
		m.ok(err, d.Assign(joiner.ObjectID))
		shown = m.want(exitDone, "connection preview entra --org default --user jo@mail.example").out
		m.fits(shown)
		m.shows(shown, "here nobody", "a run creates a member", "A resync would: create")

		unknown := "--org default --user nobody@contoso.example"
		said, meant := m.want(exitFailed, "connection preview entra "+unknown), m.want(exitFailed, "diff "+unknown)
		if said.out != "" || said.errOut != meant.errOut {
			m.t.Errorf("an unknown person: %+v, and diff says %+v", said, meant)
		}
		m.refused("connection preview nobody --org default --user x", "no connection")
		m.want(exitUsage, "connection preview entra --org default")
		d.Deny(idpsim.UserReadAll)
		m.refused(line, "User.Read.All")
	})
}

// How Entra's own job maps becomes the connection's mapping, printed or written into the file, and the doctor agrees then.
func TestE2EImportOfTheJobsMapping(t *testing.T) {
	eachMachine(t, func(m *machine) {
		d := m.directory(idpsim.Config{Seed: 7, Members: 8, Groups: 1})
		entry := d.entry("default", "entra")
		m.configure(entry)
		m.again()
		m.want(exitDone, "resync --org default --wait")
		d.EditSchema(func(s *idpsim.Schema) {
			s.Users.Attributes = append(s.Users.Attributes,
				idpsim.AttributeMapping{Target: "title", Expression: `IIF([department]="Sales", "It's  me", Join(" ", [jobTitle], [TelephoneNumber]))`},
				idpsim.AttributeMapping{Target: "nickName", Expression: `SingleAppRoleAssignment([appRoleAssignments])`},
				idpsim.AttributeMapping{Target: "userType", Expression: `"Employee"`})
			s.Users.Attributes[3].Expression = `ToUpper([displayName], )`
		})
		m.says(m.diagnosed(exitFailed), "mapping", "fail", "displayName of users", "import-mapping entra --org default")
		line := "connection import-mapping entra --org default"
		shown := m.want(exitDone, line).out
		for _, w := range []string{"\nmapping:\n  userName: userPrincipalName\n", "\n  displayName: '= ToUpper(displayName)'\n", "\n  userType: '= \"Employee\"'\n",
			`  title: '= IIF(department == "Sales", "It''s  me", Join(" ", jobTitle, businessPhones))'`, "# Not translated: nickName, from SingleAppRoleAssignment("} {
			if !strings.Contains(shown, w) {
				m.t.Errorf("no %q in\n%s", w, shown)
			}
		}
		if got := asked[client.JobMapping](m, exitDone, line); len(got.Mapping) != 7 || len(got.Left) != 1 || got.Left[0].Target != "nickName" || got.Connection != "entra" {
			m.t.Errorf("got %+v", got)
		}

		m.want(exitUsage, line+" --write")
		m.refused(line+" --write --config none.yaml", "none.yaml")
		written := m.want(exitDone, line+" --write --config rosterd.yaml")
		m.shows(written.out, "Changed rosterd.yaml: userName, ", "Not translated: nickName", "Restart the daemon")
		_, rest, _ := strings.Cut(entry, "    kind: entra\n")
		text, err := os.ReadFile(filepath.Join(m.db.Dir, "rosterd.yaml"))
		m.ok(err)
		if !strings.Contains(string(text), "    kind: entra\n    mapping:\n      userName: userPrincipalName\n") || !strings.HasSuffix(string(text), rest) {
			m.t.Errorf("the file has\n%s", text)
		}
		m.shows(m.want(exitDone, line+" --write --config rosterd.yaml").out, "maps so already")
		m.again()
		for _, f := range m.diagnosed(exitDone).Checks {
			if f.Check == "mapping" && f.State != "ok" {
				m.t.Errorf("after the import: %+v", f)
			}
		}
		p := d.Desired()[0]
		if got := asked[client.Preview](m, exitDone, "connection preview entra --org default --user "+p.UserPrincipalName); !strings.Contains(strings.Join(got.Would, " "), "displayName") {
			m.t.Errorf("the preview after it: %+v", got)
		}
		d.Deny(idpsim.SynchronizationReadAll)
		m.refused(line, "Synchronization.Read.All")
	})
}
