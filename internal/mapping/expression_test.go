package mapping_test

import (
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

func ada() map[string]string {
	return map[string]string{"givenName": "Zoë", "surname": "O'Hara Łask", "mail": "zoe@x.com", "country": "USA", "list": "a, b,c,a"}
}

func eval(t *testing.T, text string) (string, error) {
	t.Helper()
	e, err := mapping.NewExpression(text, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	values := ada()
	return e.Text(func(name string) string { return values[name] })
}

func TestExpressionsMeanWhatEntrasFunctionsMean(t *testing.T) {
	for text, want := range map[string]string{
		`Switch(IsSoftDeleted, "", "False", "True", "True", "False")`: "",
		`Switch("False", "", "False", "True", "True", "False")`:       "True",
		`Switch("True", "", "False", "True", "True", "False")`:        "False",
		`join(" ", givenName, middleName, surname)`:                   "Zoë O'Hara Łask",
		`Join("-", Split(list, ","))`:                                 "a-b-c-a",
		`Join("-", RemoveDuplicates(Split(list, ",")))`:               "a-b-c",
		`Item(Split(list, ","), 2)`:                                   "b",
		`Item(Split(list, ","), 9)`:                                   "",
		`Coalesce(missing, mail)`:                                     "zoe@x.com",
		`IIF(country == "USA", country, department)`:                  "USA",
		`country in ["USA", "UK"] ? "west" : "east"`:                  "west",
		`IIF(IsPresent(missing), "yes", "no")`:                        "no",
		`Not(IsNullOrEmpty(mail))`:                                    "True",
		`Append(Mid(givenName, 1, 2), Mid(surname, 1, 5))`:            "ZoO'Har",
		`Mid(mail, 9, 50)`:                                            "m",
		`Left("John Doe", 3)`:                                         "Joh",
		`Left(mail, InStr(mail, "@") - 1)`:                            "zoe",
		`Left("ab", -1)`:                                              "ab",
		`CStr(InStr("repEated", "e", 3))`:                             "7",
		`Replace(mail, "@x.com", "")`:                                 "zoe",
		`RegexReplace("john_doe72", "[a-zA-Z_]*", "")`:                "72",
		`ReplaceGroup("a-1 b-2", "[a-z]-(?P<n>[0-9])", "n", "#")`:     "a-# b-#",
		`NormalizeDiacritics(Join("", givenName, surname, "øß"))`:     "ZoeO'Hara Laskoess",
		`PCase("PABLO GONSALVES (SECOND)")`:                           "Pablo Gonsalves (Second)",
		`PCase("PINTO-DE'SILVA", " '-")`:                              "Pinto-De'Silva",
		`StripSpaces(surname)`:                                        "O'HaraŁask",
		`Word("This,string!has&many separators", 3, ",!&#")`:          "has",
		`ToUpper(mail)`:                                               "ZOE@X.COM",
		`ToLower("I", "tr-TR")`:                                       "ı",
		`Trim("  x ")`:                                                "x",
		`on.extensionAttribute1 == "" and mail matches "@x\\.com$"`:   "True",
		`"constant"`: "constant",
	} {
		if got, err := eval(t, text); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAMistakeInAnExpressionIsFoundWithItsPlaceAndAWayOut(t *testing.T) {
	for text, want := range map[string]string{
		`Jion(" ", givenName)`:                    `at character 1: there is no function "Jion" (did you mean "Join"?)`,
		`Append(givenName, Jion(" ", surname))`:   `at character 19: there is no function "Jion"`,
		`Append(givenNam, "x")`:                   `at character 8: "givenNam" is no attribute that is read from Graph (did you mean "givenName"?)`,
		`Left(givenName, "x")`:                    "argument 2 of Left must be a number",
		`Switch(country, "", "a")`:                "Switch(value, default, key, then, ...)",
		`Switch(country, "", "a", "b", "c")`:      "each key of Switch needs a value",
		`Split(mail, "@")`:                        "it is a list",
		`Item(Split(mail, "@"), 0)`:               "counted from 1",
		`RegexReplace(mail, "(", "")`:             "regular expression can't be read",
		`RegexReplace(mail, mail, "")`:            "must be a text in quotes",
		`SingleAppRoleAssignment(mail)`:           "can't be had here",
		`Now()`:                                   "each run would find another value",
		`[mail]`:                                  "written without",
		`map(1..1000000, "x")`:                    "at character",
		`let x = 1; mail`:                         "at character",
		`mail +`:                                  "unexpected",
		`trim(mail`:                               "unexpected",
		``:                                        "at character",
		strings.Repeat("(", 5000):                 "4096",
		`"` + strings.Repeat(`a"+"`, 1000) + `b"`: "nodes",
	} {
		m := mapping.Entra()
		err := m.Write(roster.AttrDisplayName, "="+text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
		if m.Fingerprint() != mapping.Entra().Fingerprint() {
			t.Errorf("%.60s: the mapping is changed all the same", text)
		}
	}
}

// Upgrading must not make every connection's next run a first one.
func TestTheFingerprintsOfTheDefaultsStay(t *testing.T) {
	for got, want := range map[string]string{
		mapping.Entra().Fingerprint(): "4e4cd8299845af112a2fef95de9759c1", mapping.Okta().Fingerprint(): "d4d02d8f9ac6b2ad88372e29a8bf7d39",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAPlainAttributeAndTheSameAsAnExpressionGiveTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := &connectors.User{ObjectID: "o1", Attributes: rapid.MapOf(
			rapid.SampledFrom(mapping.EntraSources()), rapid.String()).Draw(t, "attributes")}
		plain, written := mapping.Entra(), mapping.Entra()
		for _, target := range mapping.Targets() {
			source := rapid.SampledFrom(mapping.EntraSources()).Draw(t, "source")
			for m, text := range map[*mapping.Mapping]string{&plain: source, &written: "= " + source} {
				if err := m.Write(target, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, b := plain.ToMember(u, 1), written.ToMember(u, 1)
		if !maps.Equal(a.Values, b.Values) || a.Problem+b.Problem != "" {
			t.Fatalf("%+v\n%+v", a, b)
		}
		if strings.Join(plain.Sources(), " ") != strings.Join(written.Sources(), " ") {
			t.Fatalf("%v\n%v", plain.Sources(), written.Sources())
		}
	})
}

func TestWhatCantBeWorkedOutForOnePersonIsTheirProblemAndNoValue(t *testing.T) {
	m := mapping.Entra()
	if err := m.Write(roster.AttrDisplayName, `= Mid(mail, InStr(mail, "@"), 3)`); err != nil {
		t.Fatal(err)
	}
	w := m.ToMember(&connectors.User{Attributes: map[string]string{"mail": "nobody", "userPrincipalName": "a@x.com"}}, 0)
	if _, there := w.Values[roster.AttrDisplayName]; there || !strings.Contains(w.Problem, "displayName: mid starts before") || w.UserName() != "a@x.com" {
		t.Errorf("got %+v", w)
	}
}

func TestATextThatGrowsIsCutOff(t *testing.T) {
	text := `"xxxxxxxxxxxxxxxx"`
	for range 6 {
		text = `Replace(` + text + `, "x", "xxxxxxxxxxxxxxxx")`
	}
	if _, err := eval(t, text); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v", err)
	}
}

func TestNoneLeavesAnAttributeToPushes(t *testing.T) {
	m := mapping.Entra()
	if err := m.Write(roster.AttrDisplayName, mapping.None); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(m.Managed(), " "), roster.AttrDisplayName) {
		t.Error("it is managed still")
	}
	if err := m.Write(roster.AttrUserName, mapping.None); err == nil {
		t.Error("userName can be left out")
	}
	if err := m.Write("dispalyName", "mail"); err == nil || !strings.Contains(err.Error(), `"displayName"`) {
		t.Errorf("got %v", err)
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{`Switch(a, "", "x", "y")`, `Join(" ", a, b.c)`, `a in ["x"]`, `a matches "x*"`, `-1`, `a | Trim()`, `((a`, `#a`, "`a`"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		e, err := mapping.NewExpression(text, nil)
		if err != nil {
			return
		}
		if s, err := e.Text(func(string) string { return value }); err == nil && len(s) > len(value)+16<<10 {
			t.Errorf("a text of %d bytes", len(s))
		}
	})
}
