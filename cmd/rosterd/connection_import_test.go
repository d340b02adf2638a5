package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
)

const otherEntry = `# ours
connections:
    # the first
    - organisation: default
      name: okta   # not this one
      kind: okta
      mapping: { displayName: email }
`

func TestOnlyTheLinesOfAMappingAreChangedInAConfiguration(t *testing.T) {
	m := &client.JobMapping{Organisation: "default", Connection: "entra", Mapping: []client.MappingLine{
		{Target: "userName", Source: "mail"}, {Target: `emails[type eq "work"].value`, Source: `= Append("it's  #1", mail)`}, {Target: "displayName", Source: "none", Unsent: true},
	}}
	const mail, name = `emails[type eq "work"].value: '= Append("it''s  #1", mail)'`, "userName: mail"
	for what, c := range map[string]struct{ before, after, changed, refused string }{
		"without a mapping": {before: otherEntry + "    - name: entra\n      kind: entra # Azure\n      organisation: default\n\n      entra: {tenant_id: x}\n# end",
			after:   otherEntry + "    - name: entra\n      kind: entra # Azure\n      mapping:\n        " + name + "\n        " + mail + "\n        displayName: none\n      organisation: default\n\n      entra: {tenant_id: x}\n# end",
			changed: "userName " + `emails[type eq "work"].value displayName`},
		"with some lines": {before: otherEntry + "    - kind: entra\n      organisation: default\n      name: \"entra\"\n      mapping:   # by hand\n          # first\n          displayName: '= \"a # ''b\"'  # kept\n          userName: \"x # y\"   # changed\n\n          title: jobTitle\n      policy: {settle: 1m}\n",
			after:   otherEntry + "    - kind: entra\n      organisation: default\n      name: \"entra\"\n      mapping:   # by hand\n          # first\n          displayName: '= \"a # ''b\"'  # kept\n          userName: mail   # changed\n\n          title: jobTitle\n          " + mail + "\n      policy: {settle: 1m}\n",
			changed: "userName " + `emails[type eq "work"].value`},
		"with the same lines, and no line's end": {before: otherEntry + "    - kind: entra\n      organisation: default\n      name: entra\n      mapping:\n        displayName: surname\n        userName: mail\n        " + mail,
			after: otherEntry + "    - kind: entra\n      organisation: default\n      name: entra\n      mapping:\n        displayName: surname\n        userName: mail\n        " + mail},
		"with an empty mapping, and Windows' lines": {before: "connections:\r\n- organisation: default\r\n  name: entra\r\n  kind: entra\r\n  mapping:\r\n",
			after:   "connections:\r\n- organisation: default\r\n  name: entra\r\n  kind: entra\r\n  mapping:\r\n    " + name + "\r\n    " + mail + "\r\n    displayName: none\r\n",
			changed: "userName " + `emails[type eq "work"].value displayName`},
		"beside other letters": {before: "connections:\n- organisation: default\n  name: entra # Büro\n  kind: entra\n  mapping:\n    displayName: '= \"Zoë\"'\n    userName: \"zoë\" # née\n    nickName: |\n      a\n",
			after:   "connections:\n- organisation: default\n  name: entra # Büro\n  kind: entra\n  mapping:\n    displayName: '= \"Zoë\"'\n    userName: mail # née\n    " + mail + "\n    nickName: |\n      a\n",
			changed: "userName " + `emails[type eq "work"].value`},
		"lines with settings": {before: "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: { from: \"x\", empty: keep } # both\n    emails[type eq \"work\"].value:\n      from: mail\n      empty: clear\n    team:\n      displayName: mail\n    displayName: x\n",
			after:   "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: { from: mail, empty: keep } # both\n    emails[type eq \"work\"].value:\n      from: '= Append(\"it''s  #1\", mail)'\n      empty: clear\n    team:\n      displayName: mail\n    displayName: x\n",
			changed: "userName " + `emails[type eq "work"].value`},
		"another default":      {before: "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: { from: mail, default: x }\n", refused: "line 6 has no value that ends there"},
		"in braces":            {before: "connections:\n- {organisation: default, name: entra, kind: entra}\n", refused: "in braces"},
		"a mapping in braces":  {before: "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping: {userName: x}\n", refused: "line 5, is not written one line"},
		"a folded value":       {before: "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: >\n      x\n", refused: "line 6 has no value that ends there"},
		"a value in two lines": {before: "connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: 'x\n      y'\n", refused: "line 6 has no value that ends there"},
		"an alias":             {before: "x: &a b\nconnections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: *a\n", refused: "line 7 has no value"},
		"another file":         {before: otherEntry, refused: "no connection entra of organisation default"},
		"an empty file":        {before: "", refused: "not YAML"},
		"no YAML":              {before: "a: [\n secret", refused: "not YAML"},
	} {
		t.Run(what, func(t *testing.T) {
			after, changed, err := withMapping(c.before, m)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v, want %q\n%s", err, c.refused, after)
				}
				return
			}
			if err != nil || after != c.after || strings.Join(changed, " ") != c.changed {
				t.Errorf("%v, changed %q\n%s\nwant\n%s", err, changed, after, c.after)
			}
		})
	}
}

func TestAFileIsReplacedWithItsPermissions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rosterd.yaml")
	if err := os.WriteFile(path, []byte("a"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, "b"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	text, _ := os.ReadFile(path)
	left, _ := os.ReadDir(dir)
	if err != nil || info.Mode().Perm() != 0o640 || string(text) != "b" || len(left) != 1 {
		t.Errorf("%v, %v, %q, %v", err, info, text, left)
	}
}

func FuzzAConfigurationNeverEndsTheCommand(f *testing.F) {
	f.Add(otherEntry)
	f.Add("connections:\n- organisation: default\n  name: entra\n  kind: entra\n  mapping:\n    userName: 'x'\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _, _ = withMapping(text, &client.JobMapping{Organisation: "default", Connection: "entra", Mapping: []client.MappingLine{{Target: "userName", Source: "mail"}}})
	})
}
