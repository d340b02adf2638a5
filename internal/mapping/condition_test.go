package mapping_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// said is what a mapping decides of a person.
type said struct {
	enabled, keep      bool
	gone, off, problem string // words in it; empty: there are none
}

func check(t *testing.T, name string, w roster.WantedMember, want said) {
	t.Helper()
	if w.Enabled != want.enabled || w.Keep != want.keep {
		t.Errorf("%s: enabled %t, keep %t", name, w.Enabled, w.Keep)
	}
	for _, c := range [][2]string{{w.Gone, want.gone}, {w.Off, want.off}, {w.Problem, want.problem}} {
		if (c[0] == "") != (c[1] == "") || !strings.Contains(c[0], c[1]) {
			t.Errorf("%s: says %q, want %q", name, c[0], c[1])
		}
	}
}

func TestActiveIsDecidedByTheMappingOnlyForWhoWasRead(t *testing.T) {
	on := connectors.User{Enabled: true, Attributes: map[string]string{"userType": "Member", "jobTitle": "maybe"}}
	off, kept, gone := on, on, on
	off.Enabled, kept.Enabled, kept.Keep, gone.Gone = false, false, true, "deleted there"
	const stock = `= Switch(isSoftDeleted, "", "False", "True", "True", "False")`
	for _, c := range []struct {
		name, source string
		user         connectors.User
		want         said
	}{
		{"stock, on", stock, on, said{enabled: true}},
		{"stock, off", stock, off, said{}},
		{"Not, on", `= Not(isSoftDeleted)`, on, said{enabled: true}},
		{"an attribute alone", `accountEnabled`, off, said{}},
		{"on by the mapping", `= userType == "Member"`, off, said{enabled: true}},
		{"off by the mapping", `= userType == "Guest"`, on, said{off: "`userType == \"Guest\"`"}},
		{"a text that says so", `= IIF(userType == "Member", "true", "FALSE")`, on, said{enabled: true}},
		{"neither", `= jobTitle`, on, said{keep: true, problem: `active: it gives "maybe", where True or False is wanted`}},
		{"nothing", `= department`, on, said{keep: true, problem: "active: it gives nothing"}},
		{"an error", `= Mid(jobTitle, InStr(jobTitle, "#"), 1) == "x"`, on, said{keep: true, problem: "active: mid starts before"}},
		{"kept by the connector", `= userType == "Guest"`, kept, said{keep: true}},
		{"gone all the same", `= userType == "Member"`, gone, said{gone: "deleted there"}},
	} {
		m := mapping.Entra()
		if err := m.Write(mapping.Active, c.source); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		check(t, c.name, m.ToMember(&c.user, 1), c.want)
		if slices.Contains(m.Managed(), mapping.Active) || slices.Contains(m.Sources(), "isSoftDeleted") || slices.Contains(m.Sources(), "accountEnabled") {
			t.Errorf("%s: manages %v, asks for %v", c.name, m.Managed(), m.Sources())
		}
	}
}

func TestTheScopeLeavesOutByEvidenceAndNeverByAMistake(t *testing.T) {
	on := connectors.User{Enabled: true, Attributes: map[string]string{"department": "Sales", "userType": "Member", "jobTitle": "maybe"}}
	off, kept, gone := on, on, on
	off.Enabled, kept.Keep, kept.Enabled, gone.Gone, gone.Enabled = false, true, false, "deleted there", true
	const other = `department == "Support"`
	for _, c := range []struct {
		name, scope string
		user        connectors.User
		want        said
	}{
		{"in", `= department == 'Sales' and userType == 'Member'`, on, said{enabled: true}},
		{"in, without the sign", `department == "Sales"`, on, said{enabled: true}},
		{"in and off", `= department == "Sales"`, off, said{}},
		{"out", "= " + other, on, said{gone: "`" + other + "`", off: "the connection's scope leaves them out"}},
		{"out, whom the connector keeps", "= " + other, kept, said{gone: "`" + other + "`", off: "scope"}},
		{"an error", `= Mid(jobTitle, InStr(jobTitle, "#"), 1) == "x"`, on, said{keep: true, problem: "scope: mid starts before"}},
		{"nothing given", `= city`, on, said{keep: true, problem: "scope: it gives nothing"}},
		{"no truth", `= jobTitle`, on, said{keep: true, problem: `scope: it gives "maybe"`}},
		{"gone already", "= " + other, gone, said{gone: "deleted there"}},
	} {
		m := mapping.Entra()
		before := m.Fingerprint()
		if err := m.WriteScope(c.scope); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if m.Fingerprint() == before {
			t.Errorf("%s: the fingerprint does not tell", c.name)
		}
		w := m.ToMember(&c.user, 1)
		if check(t, c.name, w, c.want); w.OutOfScope != (w.Gone != "" && c.user.Gone == "") {
			t.Errorf("%s: out of scope %t", c.name, w.OutOfScope)
		}
	}
	m := mapping.Entra()
	if err := m.WriteScope(`city == "Rome" and isSoftDeleted == "False"`); err != nil || !slices.Contains(m.Sources(), "city") || slices.Contains(m.Sources(), "isSoftDeleted") {
		t.Errorf("asks for %v, %v", m.Sources(), err)
	}
}

func TestAConditionThatGivesNoTruthIsRefused(t *testing.T) {
	for source, want := range map[string]string{
		`= InStr(mail, "@")`:               "it is a number, and true or false is wanted",
		`= Split(mail, "@")`:               "it is a list",
		`= departmnt == "x"`:               `at character 2: "departmnt" is no attribute that is read from Graph (did you mean "department"?)`,
		`= department = "x"`:               `at character 13: unexpected token Operator("="): write == to compare`,
		`= mail == "x" AND city == "y"`:    `Identifier("AND"): write and`,
		`= accountEnabled and city == "y"`: `this is a text: compare it, such as accountEnabled == "True"`,
		`= "yes"`:                          `it gives "yes", where True or False is wanted`,
		`= accountEnabld`:                  `did you mean "accountEnabled"?`,
		`= department == "x" +`:            "unexpected",
	} {
		m := mapping.Entra()
		for what, err := range map[string]error{"scope": m.WriteScope(source), "active": m.Write(mapping.Active, source)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: got %v, want %q", what, source, err, want)
			}
		}
		if m.Fingerprint() != mapping.Entra().Fingerprint() {
			t.Errorf("%s: the mapping is changed all the same", source)
		}
	}
	m := mapping.Entra()
	for want, l := range map[string]mapping.Line{
		"active can't be none":    {Target: mapping.Active, Source: mapping.None},
		"takes neither":           {Target: mapping.Active, Source: "accountEnabled", Default: "True"},
		`write "= true"`:          {Target: mapping.Active, Source: "True"},
		"no attribute's name; an": {Target: mapping.Active, Source: "not accountEnabled"},
	} {
		if err := m.Put(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v", l, err)
		}
	}
}

func TestOtherKindsDecideByTheirOwnStatus(t *testing.T) {
	okta, scim := mapping.Okta(), mapping.SCIM()
	if err := okta.Write(mapping.Active, `= userStatus in ["ACTIVE", "PASSWORD_EXPIRED"] and appUserStatus != "SUSPENDED"`); err != nil {
		t.Fatal(err)
	}
	if err := scim.Write(mapping.Active, `= active == "True" and userType != "Robot"`); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    mapping.Mapping
		user connectors.User
		want bool
	}{
		"active":       {okta, connectors.User{Enabled: true, Attributes: map[string]string{"userStatus": "ACTIVE"}}, true},
		"locked out":   {okta, connectors.User{Enabled: true, Attributes: map[string]string{"userStatus": "LOCKED_OUT"}}, false},
		"a person":     {scim, connectors.User{Enabled: true}, true},
		"a robot":      {scim, connectors.User{Enabled: true, Attributes: map[string]string{"userType": "Robot"}}, false},
		"off, by scim": {scim, connectors.User{}, false},
	} {
		if w := c.m.ToMember(&c.user, 0); w.Enabled != c.want || w.Problem != "" {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

func TestWhatHoldsWhereTheSourceIsEmpty(t *testing.T) {
	m := mapping.Entra()
	before := m.Fingerprint()
	for _, l := range []mapping.Line{
		{Target: "title", Source: "jobTitle", Clear: true},
		{Target: "nickName", Source: "mailNickname", Default: "(none)\x00"},
		{Target: "locale", Source: `= Left(preferredLanguage, 2)`, Default: "en"},
		{Target: "timezone", Source: "usageLocation"},
	} {
		if err := m.Put(l); err != nil {
			t.Fatal(err)
		}
		if m.Fingerprint() == before {
			t.Errorf("%+v: the fingerprint does not tell", l)
		}
		before = m.Fingerprint()
	}
	empty := m.ToMember(&connectors.User{Enabled: true, Attributes: map[string]string{}}, 0)
	full := m.ToMember(&connectors.User{Enabled: true, Attributes: map[string]string{"jobTitle": "Clerk", "mailNickname": "ada", "preferredLanguage": "fr-FR"}}, 0)
	for target, want := range map[string][2]string{"title": {"", "Clerk"}, "nickName": {"(none)", "ada"}, "locale": {"en", "fr"}, "timezone": {"", ""}} {
		if got := [2]string{empty.Values[target], full.Values[target]}; got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	if !slices.Equal(empty.Clear, []string{"title"}) || full.Clear != nil {
		t.Errorf("clears %v, %v", empty.Clear, full.Clear)
	}
	if got := m.Whole()["nickName"]; got != `= Coalesce(mailNickname, "(none)")` {
		t.Errorf("the whole source is %s", got)
	}
	if err := m.Write("title", "jobTitle"); err != nil || len(m.ToMember(&connectors.User{}, 0).Clear) != 0 {
		t.Errorf("the rule stays, %v", err)
	}
	for want, l := range map[string]mapping.Line{
		"userName can't be cleared":       {Target: roster.AttrUserName, Source: "mail", Clear: true},
		"externalId can't be cleared":     {Target: roster.AttrExternalID, Source: "mail", Clear: true},
		"it is never empty":               {Target: "title", Source: "mail", Clear: true, Default: "x"},
		"has neither a default nor empty": {Target: "title", Source: mapping.None, Default: "x"},
		"longer than":                     {Target: "title", Source: "mail", Default: strings.Repeat("x", 20_000)},
	} {
		if err := m.Put(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v", l, err)
		}
	}
}

func TestTeamsAreMappedByTheSameExpressions(t *testing.T) {
	m, other := mapping.Entra(), mapping.Entra()
	if err := m.WriteTeam(roster.AttrDisplayName, `= RegexReplace(displayName, "^SG-App-", "")`); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteTeam(roster.AttrExternalID, "mailNickname"); err != nil {
		t.Fatal(err)
	}
	g := &connectors.Group{ObjectID: "g1", Attributes: map[string]string{"displayName": "SG-App-Sales", "mailNickname": "sales"}}
	if got := m.ToTeam(g, 3); got != (roster.WantedTeam{ObjectID: "g1", DisplayName: "Sales", ExternalID: "sales", Stamp: 3}) {
		t.Errorf("got %+v", got)
	}
	if m.Fingerprint() == other.Fingerprint() || other.ToTeam(g, 3).DisplayName != "SG-App-Sales" {
		t.Error("the fingerprint does not tell, or another mapping is changed")
	}
	if err := m.WriteTeam(roster.AttrExternalID, mapping.None); err != nil || m.ToTeam(g, 3).ExternalID != "" {
		t.Errorf("externalId: %v", err)
	}
	if err := m.WriteTeam(roster.AttrDisplayName, `= Mid(displayName, InStr(displayName, "#"), 3)`); err != nil || m.ToTeam(g, 3).DisplayName != "" {
		t.Errorf("what can't be worked out is not empty: %v", err)
	}
	for source, want := range map[string]string{
		mapping.None:      "displayName of teams can't be none",
		"name":            `"name" is no attribute of a group`,
		`= Left(mial, 1)`: `at character 7: "mial" is no attribute of a group (did you mean "mail"?)`,
	} {
		if err := m.WriteTeam(roster.AttrDisplayName, source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", source, err)
		}
	}
	if err := m.WriteTeam("name", "mail"); err == nil {
		t.Error("name of teams can be mapped")
	}
	okta := mapping.Okta()
	if err := okta.WriteTeam(roster.AttrDisplayName, `= Replace(name, "okta-", "")`); err != nil {
		t.Error(err)
	}
}

func TestExtensionsOfEntrasUsersAreSources(t *testing.T) {
	for name, good := range map[string]bool{
		"extension_0123456789abcdef0123456789ABCDEF_costCenter": true, "extkmpdyld2_graphLearnCourses.courseId": true, "contoso_courses.courseName": true,
		"extension_0123_costCenter": false, "contoso_courses": false, "extension_0123456789abcdef0123456789abcdef_": false, "courses.name": false,
		"contoso_courses.a.b": false,
	} {
		m := mapping.Entra()
		for _, source := range []string{name, "= ToUpper(" + name + ")"} {
			if err := m.Write("title", source); (err == nil) != good {
				t.Errorf("%s: %v", source, err)
			}
		}
		if good && !slices.Contains(m.Sources(), name) {
			t.Errorf("%s is not asked for: %v", name, m.Sources())
		}
		if w := m.ToMember(&connectors.User{Attributes: map[string]string{name: "c7"}}, 0); good && w.Values["title"] != "C7" {
			t.Errorf("%s gives %q", name, w.Values["title"])
		}
	}
}

func TestTheConditionsAreExplainedBeforeTheLines(t *testing.T) {
	m := mapping.Entra()
	if err := m.WriteScope(`department == "Sales"`); err != nil {
		t.Fatal(err)
	}
	if err := m.Write(mapping.Active, `= jobTitle`); err != nil {
		t.Fatal(err)
	}
	got := m.Explain(&connectors.User{Enabled: true, Attributes: map[string]string{"department": "Sales"}})
	if got[0] != (mapping.Explained{Target: mapping.Scope, Source: `= department == "Sales"`, Value: "True"}) {
		t.Errorf("scope: %+v", got[0])
	}
	if got[1].Target != mapping.Active || !strings.Contains(got[1].Problem, "gives nothing") || len(got) != len(m.Managed())+2 {
		t.Errorf("active: %+v, %d lines", got[1], len(got))
	}
}

func FuzzALineOfAMappingNeverEndsTheDaemon(f *testing.F) {
	f.Add("title", "= Left(a, 2)", "x", true, "b")
	f.Add(mapping.Active, `= Switch(isSoftDeleted, "", "False", "True")`, "", false, "")
	f.Add("displayName", "none", "", false, `department == "x"`)
	f.Fuzz(func(t *testing.T, target, source, value string, clear bool, scope string) {
		for _, m := range []mapping.Mapping{mapping.Entra(), mapping.Okta(), mapping.SCIM()} {
			err := m.Put(mapping.Line{Target: target, Source: source, Default: value, Clear: clear})
			_ = m.WriteTeam(target, source)
			scoped := m.WriteScope(scope)
			for _, u := range []connectors.User{{Enabled: true, Attributes: map[string]string{"a": value, "department": source}}, {Gone: "left"}} {
				w := m.ToMember(&u, 0)
				if w.Enabled && (w.Gone != "" || w.Keep) || err != nil && scoped != nil && w.Enabled != u.Enabled {
					t.Errorf("%+v", w)
				}
				for path, v := range w.Values {
					if strings.ContainsRune(v, 0) {
						t.Errorf("%s holds a NUL", path)
					}
				}
			}
		}
	})
}
