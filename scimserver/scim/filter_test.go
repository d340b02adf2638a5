package scim_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func ada(t *testing.T) scim.Resource {
	t.Helper()
	r, err := scim.DecodeResource(scim.NewUserType(), []byte(`{
		"userName":"Ada@x.com","externalId":"E1","title":"Vice \"P\" \\ é","active":true,"displayName":"Ada",
		"name":{"givenName":"Ada","familyName":"Straße"},
		"emails":[{"type":"work","value":"ada@x.com","primary":true},{"type":"home","value":"ada@home.org"}],
		"phoneNumbers":[{"value":"1"}],
		"`+ent+`":{"department":"R&D","employeeNumber":"42","manager":{"value":"M1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r["id"] = "u1"
	r["schemas"] = []string{scim.UserURN}
	r["meta"] = map[string]any{"created": "2026-01-02T03:04:05Z", "resourceType": "User"}
	return r
}

func TestFilterMatches(t *testing.T) {
	for filter, want := range map[string]bool{
		`userName eq "ada@X.COM"`:         true,
		`USERNAME EQ "ada@x.com"`:         true,
		`userName eq "b"`:                 false,
		`userName ne "b"`:                 true,
		`userName ne "ada@x.com"`:         false,
		`userName co "A@X"`:               true,
		`userName sw "ada"`:               true,
		`userName sw "x"`:                 false,
		`userName ew ".com"`:              true,
		`userName gt "ada"`:               true,
		`userName ge "ada@x.com"`:         true,
		`userName lt "ada@x.com"`:         false,
		`userName le "ada@x.com"`:         true,
		`externalId eq "E1"`:              true,
		`externalId eq "e1"`:              false,
		`id eq "u1" and userName pr`:      true,
		`title pr`:                        true,
		`nickName pr`:                     false,
		`nickName eq null`:                true,
		`title eq null`:                   false,
		`title ne null`:                   true,
		`nickName ne "x"`:                 true,
		`nickName eq ""`:                  false,
		`title eq "vice \"p\" \\ \u00E9"`: true,
		`name.familyName eq "STRAßE"`:     true,
		`name.givenName eq "ada" and name.familyName sw "s"`: true,
		`name pr`:                                                 true,
		`active eq true`:                                          true,
		`active eq True`:                                          true,
		`active eq "true"`:                                        true,
		`active eq false`:                                         false,
		`active ne false`:                                         true,
		`emails eq "ada@x.com"`:                                   true,
		`emails co "home"`:                                        true,
		`emails.value ew "org"`:                                   true,
		`emails.type eq "WORK"`:                                   true,
		`emails.type ne "work"`:                                   true,
		`ims.type ne "work"`:                                      true,
		`emails.primary eq true`:                                  true,
		`emails[type eq "work" and value co "@x.com"]`:            true,
		`emails[type eq "home" and value co "@x.com"]`:            false,
		`emails.type eq "home" and emails.value co "@x.com"`:      true,
		`emails[type eq "work"].value eq "ada@x.com"`:             true,
		`emails[type eq "home"].value eq "ada@x.com"`:             false,
		`emails[type eq "home"].value pr`:                         true,
		`emails[not (type eq "work") and not (type eq "home")]`:   false,
		`phoneNumbers[type eq null]`:                              true,
		`emails pr`:                                               true,
		`ims pr`:                                                  false,
		`department eq "R&D"`:                                     false,
		ent + `:department eq "r&d"`:                              true,
		strings.ToUpper(ent) + `:DEPARTMENT pr`:                   true,
		ent + `:manager eq "M1"`:                                  true,
		ent + `:manager.value eq "m1"`:                            false,
		ent + `:employeeNumber eq 42`:                             true,
		scim.UserURN + `:userName eq "ada@x.com"`:                 true,
		scim.UserURN + `:name.givenName eq "Ada"`:                 true,
		ent + ` pr`:                                               false, // refused: see below
		`meta.created eq "2026-01-02T04:04:05+01:00"`:             true,
		`meta.created gt "2026-01-02T03:04:04.999Z"`:              true,
		`meta.created lt "2026-01-02T03:04:05Z"`:                  false,
		`meta.created sw "2026-01"`:                               true,
		`schemas eq "` + scim.UserURN + `"`:                       true,
		`shoeSize eq 42`:                                          false,
		`shoeSize ne 42`:                                          true,
		`urn:acme:1.0:User:x pr`:                                  false,
		`userName.nonsense eq "ada@x.com"`:                        false,
		`userName.nonsense ne "ada@x.com"`:                        true,
		`userName eq " ADA@x.com "`:                               true,
		`userName co " ada"`:                                      false,
		`title ew "e\u0301"`:                                      true,
		`name[givenName eq "ada"]`:                                true,
		`not (userName eq "b")`:                                   true,
		`not(active eq true)`:                                     false,
		`userName eq "b" or active eq true and title pr`:          true,
		`(userName eq "b" or active eq true) and nickName pr`:     false,
		`active eq true or userName eq "b" and nickName pr`:       true,
		`( (userName eq "ada@x.com") )`:                           true,
		`userName eq "b" OR NOT (nickName pr) AND active eq true`: true,
	} {
		t.Run(filter, func(t *testing.T) {
			f, err := scim.ParseFilter(scim.NewUserType(), filter)
			if filter == ent+` pr` {
				check(t, err, "invalidFilter")
				return
			}
			check(t, err, "")
			if got := scim.Match(f, ada(t)); got != want {
				t.Errorf("matches: %t, want %t", got, want)
			}
			again, err := scim.ParseFilter(scim.NewUserType(), f.String())
			if err != nil || !reflect.DeepEqual(again, f) {
				t.Errorf("%s does not parse to the same filter: %v, %v", f, again, err)
			}
		})
	}
}

func TestFilterRefused(t *testing.T) {
	for name, filter := range map[string]string{
		"nothing":                   ``,
		"white space":               ` `,
		"no operator":               `userName`,
		"no value":                  `userName eq`,
		"an unknown operator":       `userName is "x"`,
		"an unquoted value":         `userName eq ada`,
		"single quotes":             `userName eq 'ada'`,
		"no closing quote":          `userName eq "ada`,
		"a bad escape":              `userName eq "\x"`,
		"a NUL":                     `userName eq "\u0000"`,
		"a raw NUL":                 "userName eq \"\x00\"",
		"half a surrogate pair":     `userName eq "\ud800"`,
		"invalid UTF-8":             "userName eq \"\xff\"",
		"a number that is none":     `userName eq 01`,
		"not a number":              `userName eq NaN`,
		"no closing parenthesis":    `(userName pr`,
		"one too many":              `userName pr)`,
		"nothing in parentheses":    `()`,
		"dangling and":              `userName pr and`,
		"leading or":                `or userName pr`,
		"two without and":           `userName pr title pr`,
		"not without parentheses":   `not userName pr`,
		"no closing bracket":        `emails[type eq "work"`,
		"nothing in brackets":       `emails[]`,
		"brackets in brackets":      `emails[value[type pr]]`,
		"brackets after a sub":      `emails.value[type pr]`,
		"a dotted name in brackets": `emails[a.b eq "x"]`,
		"nothing after brackets":    `emails[type pr].value`,
		"a bad sub":                 `emails[type pr].1 pr`,
		"an attribute of no sense":  `user*name pr`,
		"a leading digit":           `1userName pr`,
		"two dots":                  `name.given.x pr`,
		"an empty sub":              `name. pr`,
		"brackets on a simple one":  `userName[value eq "x"]`,
		"an ordered boolean":        `active gt true`,
		"part of a boolean":         `active co "t"`,
		"a boolean of no sense":     `active eq "yes"`,
		"an ordered binary":         `x509Certificates.value gt "a"`,
		"an ordered null":           `title gt null`,
		"a boolean for a text":      `userName eq true`,
		"a date of no sense":        `meta.created gt "yesterday"`,
		"a complex attribute":       `name eq "Ada"`,
		"a whole schema":            ent + ` eq "x"`,
		"a bare URN":                `urn: pr`,
		"too long":                  `userName eq "` + strings.Repeat("x", scim.MaxFilterLength) + `"`,
		"too deep":                  strings.Repeat("(", 51) + `title pr` + strings.Repeat(")", 51),
		"too many terms":            `title pr` + strings.Repeat(` or title pr`, scim.MaxFilterTerms),
		"10,000 parentheses":        strings.Repeat("(", 10_000) + `title pr` + strings.Repeat(")", 10_000),
		"4,000 nots":                strings.Repeat("not(", 2_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := scim.ParseFilter(scim.NewUserType(), filter)
			check(t, err, "invalidFilter")
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Counted are allocations, not time: a parser that looks at its input again and again makes tokens again and again.
func TestParsingAFilterCostsNoMoreThanItsLength(t *testing.T) {
	users := scim.NewUserType()
	for name, filterOf := range map[string]func(n int) string{
		"terms":       func(n int) string { return `title pr` + strings.Repeat(` or title pr`, n) },
		"parentheses": func(n int) string { return strings.Repeat("(", n) + `title pr` + strings.Repeat(")", n) },
		"a text":      func(n int) string { return `title eq "` + strings.Repeat(`\\n`, 20*n) + `"` },
		"brackets":    func(n int) string { return `emails[type pr` + strings.Repeat(` and value pr`, n) + `]` },
		"refused":     func(n int) string { return strings.Repeat("not (", 20*n) },
	} {
		cost := func(n int) float64 {
			filter := filterOf(n)
			return testing.AllocsPerRun(5, func() { _, _ = scim.ParseFilter(users, filter) })
		}
		if few, many := cost(10), cost(40); many > 5*few+20 {
			t.Errorf("%s: %v allocations for 10, %v for 40", name, few, many)
		}
	}
}

func TestFilterAtItsLimitsIsAccepted(t *testing.T) {
	for name, filter := range map[string]string{
		"depth": strings.Repeat("(", scim.MaxFilterDepth) + `title pr` + strings.Repeat(")", scim.MaxFilterDepth),
		"terms": `title pr` + strings.Repeat(` or title pr`, scim.MaxFilterTerms-1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scim.ParseFilter(scim.NewUserType(), filter)
			check(t, err, "")
		})
	}
}

func TestFilterComparesByTheAttributesType(t *testing.T) {
	custom := &scim.Schema{ID: "urn:acme:2.0:User", Attributes: []scim.Attribute{
		{Name: "level", Type: scim.Integer}, {Name: "rate", Type: scim.Decimal}, {Name: "tags", Type: scim.String, MultiValued: true, CaseExact: true},
	}}
	r := scim.Resource{custom.ID: map[string]any{"level": int64(7), "rate": 1.5, "tags": []any{"a", "B"}}, "level": "text"}
	for filter, want := range map[string]string{
		`level eq 7`: "true", `level eq "7"`: "true", `level eq 7.0`: "true", `level gt 10`: "false", `level le 7`: "true", `level ne 8`: "true",
		`rate lt 1.6`: "true", `rate ge 2`: "false", `level co "7"`: "refused", `level eq "x"`: "refused", `level eq true`: "refused",
		`tags eq "a"`: "true", `tags eq "b"`: "false", `tags co "B"`: "true", `tags[value eq "a"]`: "true", `tags[value sw "b"]`: "false",
	} {
		f, err := scim.ParseFilter(scim.NewUserType(custom), custom.ID+":"+filter)
		got := "refused"
		if err == nil {
			got = fmt.Sprint(scim.Match(f, r))
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%v)", filter, got, want, err)
		}
	}
}

func TestFilterTreeIsCanonical(t *testing.T) {
	users, groups := scim.NewUserType(), scim.NewGroupType()
	for filter, want := range map[string]string{
		`USERNAME Eq "A"`:                                   `userName eq "A"`,
		`a pr and b pr and c pr or d pr`:                    `(a pr and b pr and c pr) or d pr`,
		`a pr and (b pr or c pr)`:                           `a pr and (b pr or c pr)`,
		`Emails[TYPE eq "work"].VALUE eq "x"`:               `emails[type eq "work" and value eq "x"]`,
		`emails eq "x"`:                                     `emails.value eq "x"`,
		`active eq "True"`:                                  `active eq true`,
		`title eq NULL`:                                     `not (title pr)`,
		scim.UserURN + `:username pr`:                       `userName pr`,
		strings.ToLower(ent) + `:COSTCENTER eq 7`:           ent + `:costCenter eq "7"`,
		`emails[(type eq "a" or type eq "b") and value pr]`: `emails[(type eq "a" or type eq "b") and value pr]`,
	} {
		f, err := scim.ParseFilter(users, filter)
		if err != nil || f.String() != want {
			t.Errorf("%s: %v, %v; want %s", filter, f, err, want)
		}
	}
	f, err := scim.ParseFilter(groups, `ID eq "G" AND Members eq "U"`)
	if want := `id eq "G" and members.value eq "U"`; err != nil || f.String() != want {
		t.Errorf("%v, %v; want %s", f, err, want)
	}
}

func TestFilterPathsCarryTheirDefinition(t *testing.T) {
	f, err := scim.ParseFilter(scim.NewUserType(), `emails[type eq "work"]`)
	check(t, err, "")
	inner, ok := f.(scim.ValuePath).Filter.(scim.Compare)
	if !ok || inner.Path.Attr != "emails" || inner.Path.Sub != "type" || inner.Path.Leaf().Name != "type" {
		t.Errorf("inner path %+v", inner.Path)
	}
	f, err = scim.ParseFilter(scim.NewUserType(), `shoeSize eq 42 and `+ent+`:department eq "x"`)
	check(t, err, "")
	terms := f.(scim.And).Terms
	unknown, known := terms[0].(scim.Compare).Path, terms[1].(scim.Compare).Path
	if unknown.Known() || unknown.Leaf() != nil {
		t.Errorf("shoeSize is known: %+v", unknown)
	}
	if !known.Known() || !known.Extension() || known.Schema != ent || known.Attribute().Name != "department" {
		t.Errorf("department is not: %+v", known)
	}
}
