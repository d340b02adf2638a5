package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// nameSyntax is what a connection may be called; guidSyntax how Entra writes its ids.
const (
	nameSyntax = `^[a-z0-9][a-z0-9_-]*$`
	guidSyntax = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`
	hostSyntax = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
)

func matches(syntax, text string) bool { return regexp.MustCompile(syntax).MatchString(text) }

func checkName(text string) (string, error) {
	if !matches(nameSyntax, text) {
		return "", fmt.Errorf("%q must be lower-case letters, digits, - and _, and begin with a letter or digit, such as entra-main", text)
	}
	return text, nil
}

// checkOrganisation takes any name that `rosterd org create` takes.
func checkOrganisation(text string) (string, error) {
	const most = 100
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || utf8.RuneCountInString(trimmed) > most || strings.ContainsFunc(trimmed, unicode.IsControl) {
		return "", fmt.Errorf("%q must be the organisation's name: up to %d printable characters", text, most)
	}
	return trimmed, nil
}

func checkGUID(text string) (string, error) {
	if !matches(guidSyntax, text) {
		return "", fmt.Errorf("%q is not a GUID: write 8-4-4-4-12 hexadecimal digits, such as 01234567-89ab-cdef-0123-456789abcdef", text)
	}
	return strings.ToLower(text), nil
}

func checkDataDir(text string) (string, error) {
	if strings.ContainsAny(text, "\n\r\x00") {
		return "", errors.New("must be the path of a folder, such as ./data")
	}
	return text, nil
}

func checkListen(text string) (string, error) { return checkAddress(text, DefaultListen) }

// checkAddress is for one to listen on.
func checkAddress(text, example string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%q is not an address: write host:port, such as %s", text, example)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%q has no port between 0 and 65535: write host:port, such as %s", text, example)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !matches(hostSyntax, host) {
		return "", fmt.Errorf("%q has no valid host: write an address or a host name, such as %s", text, example)
	}
	return text, nil
}

// parseURL reads an absolute http or https URL; its errors never repeat the text, which may hold a password.
func parseURL(text, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, fmt.Errorf("must be an absolute http or https URL, such as %s", example)
	case u.User != nil:
		return nil, fmt.Errorf("must not hold a user name or password: write it like %s", example)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("must not have a query or fragment: write it like %s", example)
	}
	return u, nil
}

func checkPublicURL(text string) (string, error) {
	if _, err := parseURL(text, "https://id.example.com"); err != nil {
		return "", err
	}
	return strings.TrimRight(text, "/"), nil
}

// checkServiceURL is for an IdP's own API: plain http goes to this machine only.
func checkServiceURL(example string) func(string) (string, error) {
	return func(text string) (string, error) {
		u, err := parseURL(text, example)
		if err != nil {
			return "", err
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return "", fmt.Errorf("may be plain http on a loopback address only (127.0.0.1, ::1, localhost): write https://%s", u.Host)
		}
		return strings.TrimRight(text, "/"), nil
	}
}

// loopback reports whether host names this machine without asking anyone.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// plainLoopback reports whether a URL that checkServiceURL passed is plain http.
func plainLoopback(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "http" && loopback(u.Hostname())
}

// checkDatabaseURL never repeats the text, which may hold a password.
func checkDatabaseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errors.New("must begin with postgres://, such as postgres://rosterd@db.example.com/rosterd; leave it out for SQLite")
	}
	return text, nil
}

func holdsPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	_, inUser := u.User.Password()
	return inUser || u.Query().Has("password")
}

// checkOktaURL refuses the admin console's host and a path, which Okta's own library refuses only when it is used.
func checkOktaURL(text string) (string, error) {
	const example = "https://acme.okta.com"
	text, err := checkServiceURL(example)(text)
	if err != nil {
		return "", err
	}
	u, err := parseURL(text, example)
	switch first, _, _ := strings.Cut(u.Hostname(), "."); {
	case err != nil:
		return "", err
	case u.Path != "":
		return "", fmt.Errorf("must be the org's address alone, without a path, such as %s", example)
	case strings.HasSuffix(first, "-admin"):
		return "", fmt.Errorf("is the admin console's address: take -admin out, such as %s", example)
	}
	return text, nil
}

// checkOktaID is for an id that stands in the path of requests.
func checkOktaID(text string) (string, error) {
	if !matches(`^[A-Za-z0-9_-]{1,64}$`, text) {
		return "", fmt.Errorf("%q is not an id of Okta: it is letters and digits, such as 0oa1b2c3d4", text)
	}
	return text, nil
}

// checkKeyID is for the id of a key, which Okta gives or takes as it is.
func checkKeyID(text string) (string, error) {
	if !matches(`^[!-~]{1,128}$`, text) {
		return "", fmt.Errorf("%q is not a key's id: write the kid that Okta shows beside the key", text)
	}
	return text, nil
}

// checkSCIMFilter refuses what could never be a filter (RFC 7644 section 3.4.2.2): the server's own answer to one says the rest.
func checkSCIMFilter(text string) (string, error) {
	const most = 2000 // it stands in the address of requests
	const example = `write one of SCIM, such as userType eq "Employee"`
	switch text = strings.TrimSpace(text); {
	case len(text) > most:
		return "", fmt.Errorf("is longer than %d characters: %s", most, example)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("holds a line break or another control character: %s", example)
	case !balanced(text):
		return "", fmt.Errorf("%q has a quotation mark or bracket that is not closed: %s", text, example)
	}
	return text, nil
}

// balanced reports whether every text, ( and [ of a filter ends: what is added to it would else mean something else.
func balanced(filter string) bool {
	var open []rune
	inText, escaped := false, false
	for _, r := range filter {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = r == '\\', r != '"'
		case r == '"':
			inText = true
		case r == '(':
			open = append(open, ')')
		case r == '[':
			open = append(open, ']')
		case r == ')' || r == ']':
			if len(open) == 0 || open[len(open)-1] != r {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return !inText && len(open) == 0
}

// oneOf takes one of some words.
func oneOf(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if !slices.Contains(words, text) {
			last := len(words) - 1
			return "", fmt.Errorf("%q is not known: write %s or %s", text, strings.Join(words[:last], ", "), words[last])
		}
		return text, nil
	}
}

func checkAdoptLocal(text string) (string, error) {
	return oneOf(string(AdoptNever), string(AdoptByEmail))(text)
}

// leastRestart keeps a job that is restarted again and again from doing nothing else.
const leastRestart = time.Hour

func checkRestart(text string) (string, error) {
	if d, err := time.ParseDuration(text); err != nil || d != 0 && d < leastRestart {
		return "", fmt.Errorf("%q is no time between two restarts: write a number and a unit, 1h or more, such as 24h; 0s is never", text)
	}
	return text, nil
}

// A pull of a minute reads something in any tenant, and one of a day is overtaken by the next.
const (
	leastDeadline = time.Minute
	mostDeadline  = 24 * time.Hour
)

func checkPullDeadline(text string) (string, error) {
	if d, err := time.ParseDuration(text); err != nil || d < leastDeadline || d > mostDeadline {
		return "", fmt.Errorf("%q is no time for reading everything: write a number and a unit, from 1m to 24h, such as 6h", text)
	}
	return text, nil
}

func checkSettle(text string) (string, error) {
	if d, err := time.ParseDuration(text); err != nil || d < 0 {
		return "", fmt.Errorf("%q is not a duration: write a number and a unit, such as 10m, 90s or 1h", text)
	}
	return text, nil
}
