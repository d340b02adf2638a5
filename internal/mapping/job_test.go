package mapping_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// The examples are those of Microsoft's "Reference for writing expressions for attribute mappings in Microsoft Entra ID".
func TestAnExpressionOfEntrasIsTranslated(t *testing.T) {
	for written, want := range map[string]string{
		`[userPrincipalName]`:                                          "userPrincipalName",
		`[originalUserPrincipalName]`:                                  "userPrincipalName",
		`[TelephoneNumber]`:                                            "businessPhones",
		`[extensionAttribute3]`:                                        "onPremisesExtensionAttributes.extensionAttribute3",
		`"Contoso \"Inc\" \\ Ltd"`:                                     `= "Contoso \"Inc\" \\ Ltd"`,
		`Join(" ", [givenName], [surname])`:                            `= Join(" ", givenName, surname)`,
		`Append([surname], "@contoso.com")`:                            `= Append(surname, "@contoso.com")`,
		`IIF([country]="USA",[country],[department])`:                  `= IIF(country == "USA", country, department)`,
		`IIF( [country] <> "USA" , "x", IsPresent([department]))`:      `= IIF(country != "USA", "x", IsPresent(department))`,
		`Switch([state], "Australia/Brisbane", "NSW","A", "QLD", "B")`: `= Switch(state, "Australia/Brisbane", "NSW", "A", "QLD", "B")`,
		`Switch([country], , "DE", "Germany")`:                         `= Switch(country, "", "DE", "Germany")`,
		`switch([country], , "DE", )`:                                  `= Switch(country, "", "DE", "")`,
		`Replace([mail], "@x.com", , , "", , )`:                        `= Replace(mail, "@x.com", "")`,
		`Replace([mail], , "(\\d+)-x", , "$1st", , )`:                  `= RegexReplace(mail, "(\\d+)-x", "${1}st")`,
		`Replace([mail], , "^(?<name>[^@]+)", "name", "new", , )`:      `= ReplaceGroup(mail, "^(?<name>[^@]+)", "name", "new")`,
		`NormalizeDiacritics(StripSpaces([givenName]))`:                `= NormalizeDiacritics(StripSpaces(givenName))`,
		`ToLower([userPrincipalName], )`:                               `= ToLower(userPrincipalName)`,
		`Mid([userPrincipalName], 1, InStr([mail], "@", , ))`:          `= Mid(userPrincipalName, 1, InStr(mail, "@"))`,
		`Item(Split([userPrincipalName], "@"), 1)`:                     `= Item(Split(userPrincipalName, "@"), 1)`,
	} {
		source, err := mapping.JobSource(&connectors.JobAttribute{Type: connectors.JobFromFunction, Expression: written})
		m := mapping.Entra()
		if err == nil {
			err = m.Write("title", source)
		}
		if err != nil || source != want {
			t.Errorf("%s gives %s, %v; want %s", written, source, err, want)
		}
	}
}

func TestWhatCanNotBeTranslatedIsLeftWithItsReason(t *testing.T) {
	for written, why := range map[string]string{
		``:                                     "can't be read",
		`SingleAppRoleAssignment([appRoles])`:  "names of app roles",
		`[manager]`:                            `"manager" is no attribute that is read from Graph`,
		`Frobnicate([mail])`:                   "no function",
		`Join(" ", [mail]`:                     "a , or ) is missing in Join",
		`Join(" ", [mail`:                      "the [ is not closed",
		`Join(" `:                              "at character 6: the quote is not closed",
		`[mail] [mail]`:                        "something stands after its end",
		`mail`:                                 "followed by no (",
		`Replace([mail], , "x", , , [city], )`: "Replace with an attribute",
		`Replace([mail], , "(?=x)", , "", , )`: "regular expression",
		`Replace([mail], , "x", , "$&", , )`:   "only groups can",
		`Left(`:                                "a , or ) is missing in Left",
		strings.Repeat("Not(", 3000):           "too deep",
		`Mid([mail], 0, 1)`:                    "counted from 1",
		`Left([mail], "a")`:                    "must be a number",
		"\xff(":                                "neither an attribute",
	} {
		got := mapping.FromJob(&connectors.JobObject{Attributes: []connectors.JobAttribute{
			{Target: "title", Type: connectors.JobFromFunction, Expression: written}, {Target: "displayName", Type: connectors.JobFromFunction, Expression: written}}})
		left := map[string]string{}
		for _, l := range got.Left {
			left[l.Target] = l.Why
		}
		if !strings.Contains(left["title"], why) {
			t.Errorf("%.40q: left because %q, want %q", written, left["title"], why)
		}
		for _, l := range got.Lines {
			if l.Target == "title" || l.Target == "displayName" && l.Source != mapping.None {
				t.Errorf("%.40q: line %+v", written, l)
			}
		}
	}
}

func TestAJobsMappingBecomesOneThatWritesTheSame(t *testing.T) {
	got := mapping.FromJob(&connectors.JobObject{Attributes: []connectors.JobAttribute{
		{Target: "USERNAME", Type: connectors.JobFromAttribute, Source: "userPrincipalName"},
		{Target: "active", Type: connectors.JobFromFunction, Expression: `Switch([IsSoftDeleted], , "False", "True", "True", "False")`},
		{Target: roster.AttrWorkEmail, Type: connectors.JobFromAttribute, Source: "mail", Default: `none"@x`},
		{Target: "urn:ietf:params:scim:schemas:core:2.0:User:title", Type: connectors.JobFromConstant, Source: `Sir "x"`},
		{Target: "displayName", Type: connectors.JobFromAttribute, Source: "displayName", OnCreate: true},
		{Target: "userName", Type: connectors.JobFromAttribute, Source: "mail"},
		{Target: `addresses[type eq "work"].locality`, Type: connectors.JobFromAttribute, Source: "city"},
		{Target: "name.givenName", Type: connectors.JobFromAttribute, Source: "givenName"},
	}})
	var lines, left []string
	m := mapping.Entra()
	for _, l := range got.Lines {
		lines = append(lines, l.Target+" <- "+l.Source)
		if err := m.Write(l.Target, l.Source); err != nil {
			t.Error(err)
		}
	}
	for _, l := range got.Left {
		left = append(left, l.Target)
	}
	want := `userName <- userPrincipalName
emails[type eq "work"].value <- = Coalesce(mail, "none\"@x")
title <- = "Sir \"x\""
displayName <- none
name.givenName <- givenName
name.familyName <- none`
	if s := strings.Join(lines, "\n"); s != want {
		t.Errorf("lines\n%s\nwant\n%s", s, want)
	}
	if s := strings.Join(left, ", "); s != `displayName, userName, addresses[type eq "work"].locality` {
		t.Errorf("left %s", s)
	}
}

func TestTwoSourcesAreTheSameWhateverTheirSpelling(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"mail", "mail", true}, {"mail", "displayName", false}, {"mail", "= Left(mail, 3)", false},
		{`= join(' ',givenName, surname)`, `= Join(" ", givenName, surname)`, true}, {`= Join(" ", mail, "A")`, `= Join(" ", mail, "a")`, false},
		{`= (`, `= (`, true}, {"= onPremisesExtensionAttributes.extensionAttribute1", "= onPremisesExtensionAttributes.extensionAttribute2", false},
	} {
		if got := mapping.SameSource(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}

func FuzzAnExpressionOfEntrasNeverEndsTheDaemon(f *testing.F) {
	f.Add(`Switch([a], , "x", Join(" ", [b]))`)
	f.Fuzz(func(_ *testing.T, text string) {
		_ = mapping.FromJob(&connectors.JobObject{Attributes: []connectors.JobAttribute{{Target: "title", Type: connectors.JobFromFunction, Expression: text}}})
	})
}

func TestWhatTheJobDecidesOnActiveByIsWrittenOnlyWhereItDiffers(t *testing.T) {
	for written, want := range map[string]string{
		`Switch([IsSoftDeleted], , "False", "True", "True", "False")`: "",
		`Not([IsSoftDeleted])`:                                        "",
		`[accountEnabled]`:                                            "",
		`IIF([IsSoftDeleted]="False", True, False)`:                   "",
		`Switch([IsSoftDeleted], , "False", "False", "True", "True")`: `= Switch(isSoftDeleted, "", "False", "False", "True", "True")`,
		`IIF([userType]="Guest", "False", Switch([IsSoftDeleted], , "False", "True", "True", "False"))`: `= IIF(userType == "Guest", "False", Switch(isSoftDeleted, "", "False", "True", "True", "False"))`,
		`"True"`:                           `= "True"`,
		`Frobnicate([IsSoftDeleted])`:      `left: there is no function "Frobnicate"`,
		`InStr([mail], "@")`:               "left: it is a number",
		`SingleAppRoleAssignment([roles])`: "left: SingleAppRoleAssignment can't be had here",
	} {
		o := &connectors.JobObject{Attributes: []connectors.JobAttribute{{Target: "active", Type: connectors.JobFromFunction, Expression: written}}}
		mapped, got := mapping.FromJob(o), ""
		for _, l := range mapped.Lines {
			if l.Target == mapping.Active {
				got = l.Source
			}
		}
		for _, l := range mapped.Left {
			if l.Target == mapping.Active {
				got = "left: " + l.Why
			}
		}
		left := strings.HasPrefix(want, "left: ")
		if !left && got != want || left && !strings.HasPrefix(got, want) {
			t.Errorf("%s gives %s, want %s", written, got, want)
		}
		if source, ok := mapping.JobActive(o); ok == left || ok && source != want {
			t.Errorf("%s: the job's own is %s, %t", written, source, ok)
		}
		m := mapping.Entra()
		if err := m.Write(mapping.Active, `= userType == "Member"`); err != nil {
			t.Fatal(err)
		}
		back := slices.ContainsFunc(m.FromJob(o).Lines, func(l roster.JobMappingLine) bool {
			return l.Target == mapping.Active && strings.HasPrefix(l.Source, `= Switch(isSoftDeleted, "", "False", "True"`)
		})
		if back != (want == "") {
			t.Errorf("%s: a connection with another one gets the stock line: %t", written, back)
		}
	}
}
