package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/internal/api/client"
)

const (
	// oktaWithin is what Okta's published test suite allows for one answer.
	oktaWithin = 600 * time.Millisecond
	// answerTime is how long an identity provider waits, about.
	answerTime = 30 * time.Second
	maxAnswer  = 16 << 20

	skewWarn = 30 * time.Second
	skewFail = 5 * time.Minute
)

// answered is what came back to one request.
type answered struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// kind is the media type.
func (a *answered) kind() string {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// send sends one request as an identity provider does: directly, and following no redirect.
func (x *examination) send(ctx context.Context, method, address, token string, body any) (*answered, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", "application/scim+json")
	request.Header.Set("User-Agent", "rosterd doctor")
	if body != nil {
		request.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	began := time.Now()
	response, err := x.http().Do(request)
	if err != nil {
		var failed *url.Error // it repeats the address
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return &answered{response.StatusCode, response.Header, text, time.Since(began)}, err
}

func (x *examination) http() *http.Client {
	if x.web == nil {
		dialer := &net.Dialer{Timeout: reachTime}
		x.web = &http.Client{
			Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: reachTime},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return x.web
}

// checkService asks what needs no token: whether a SCIM service stands behind the URL, and what time it is there.
func (x *examination) checkService(ctx context.Context) bool {
	a, err := x.send(ctx, http.MethodGet, x.target.base+"/ServiceProviderConfig", "", nil)
	if err != nil {
		x.fail("service", "no answer: "+err.Error(), "see the log of rosterd, or of the proxy before it")
		return false
	}
	x.checkClock(a)
	var config struct {
		Schemas []string `json:"schemas"`
	}
	isConfig := json.Unmarshal(a.body, &config) == nil && len(config.Schemas) > 0 && strings.HasSuffix(config.Schemas[0], ":ServiceProviderConfig")
	if a.status == http.StatusOK && isConfig {
		x.ok("service", "a SCIM 2.0 service answers, in "+milliseconds(a.took))
		return true
	}
	text, fix := x.notTheService(a)
	x.fail("service", text, fix)
	return false
}

// notTheService says what it is that answered in place of a SCIM service.
func (x *examination) notTheService(a *answered) (text, fix string) {
	by := ""
	if server := a.header.Get("Server"); server != "" {
		by = " by " + server
	}
	switch {
	case a.status >= 300 && a.status < 400:
		to := "elsewhere"
		if u, err := url.Parse(a.header.Get("Location")); err == nil {
			u.RawQuery, u.User = "", nil
			to = "to " + u.String()
		}
		return fmt.Sprintf("it redirects (%d) %s: identity providers don't follow", a.status, to),
			"give the URL that answers itself, or have the proxy pass the request on"
	case a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout:
		return fmt.Sprintf("%d%s: the proxy does not reach rosterd", a.status, by), "see that rosterd runs, and that the proxy has its address"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return fmt.Sprintf("%d%s: something before rosterd asks for a login of its own", a.status, by),
			"have the proxy let everything below the SCIM base URL pass: the token is checked by rosterd"
	case a.kind() == "text/html":
		return fmt.Sprintf("a web page (%d)%s, not a SCIM service", a.status, by), "have the proxy pass the SCIM base URL on to rosterd, with its whole path; or give " + x.example()
	case a.status == http.StatusNotFound:
		return "there is nothing (404)" + by, "give " + x.example()
	}
	return fmt.Sprintf("%d %s%s: not a SCIM service", a.status, orDash(a.kind()), by), "give " + x.example()
}

// checkClock compares the Date of an answer with this machine's clock.
func (x *examination) checkClock(a *answered) {
	there, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		x.skip("clock", "the answer has no date")
		return
	}
	// A date has whole seconds, and the answer was made somewhere on the way.
	skew := there.Add(time.Second / 2).Sub(x.now().Add(-a.took / 2)).Round(time.Second)
	text := fmt.Sprintf("the server's differs from this machine's by %s", skew.Abs())
	fix := "set both by NTP: a server ahead of its time takes tokens for expired, and one behind lets them live on"
	switch {
	case skew.Abs() > skewFail:
		x.fail("clock", text, fix)
	case skew.Abs() > skewWarn:
		x.warn("clock", text, fix)
	default:
		x.ok("clock", "the server's and this machine's agree")
	}
}

// prepareToken checks the token that was given, or makes one. What it returns removes that again.
func (x *examination) prepareToken(ctx context.Context, given string) (done func()) {
	if given != "" {
		x.checkToken(ctx, given)
		return func() {}
	}
	x.dropOld(ctx)
	name := "doctor-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	made, err := x.daemon.CreateToken(ctx, x.org, client.NewToken{Name: name, Expires: "10m", Connection: x.given.connection})
	if err != nil {
		x.fail("token", "none was given, and none can be made: "+err.Error(), "give the one that the identity provider has, by --token-file")
		return func() {}
	}
	x.token = made.Token
	x.ok("token", "made "+made.Name+" for ten minutes, as none was given"+boundTo(made))
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		if err := x.daemon.DeleteToken(ctx, x.org, made.ID); err != nil {
			x.p.note("token %s could not be removed and expires in ten minutes: %v", made.Name, err)
		}
	}
}

// dropOld removes expired tokens that check-ups left behind which were broken off.
func (x *examination) dropOld(ctx context.Context) {
	tokens, err := client.Collect(x.daemon.Tokens(ctx, x.org, client.ListOptions{Search: "doctor-"}))
	if err != nil {
		return // making one says why
	}
	for _, t := range tokens {
		if strings.HasPrefix(t.Name, "doctor-") && tokenState(t) == "expired" {
			_ = x.daemon.DeleteToken(ctx, x.org, t.ID) // nothing depends on it
		}
	}
}

func boundTo(t client.Token) string {
	if t.Connection == nil {
		return ", bound to no connection"
	}
	return ", bound to connection " + *t.Connection
}

// checkToken looks at a token as it is written, and asks the daemon what it knows of it.
func (x *examination) checkToken(ctx context.Context, given string) {
	bare := strings.Join(strings.Fields(given), "")
	spaces := bare != given
	if fields := strings.Fields(given); len(fields) == 2 && strings.EqualFold(fields[0], "Bearer") {
		x.warn("token", `it begins with "Bearer ": identity providers add that themselves`, "give them the token alone, from rst_ on")
		bare, spaces = fields[1], given != fields[0]+" "+fields[1]
	}
	if spaces {
		x.fail("token", "it has white space before, behind or in it", "copy it again, as one word")
	}
	switch {
	case strings.HasPrefix(bare, "rak_"):
		x.fail("token", "it is an API key, not a SCIM token", "rosterd token create --org "+x.org)
		return // it opens more than a SCIM token does
	case !strings.HasPrefix(bare, "rst_") || strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r > '~' }):
		x.fail("token", "it is no token of rosterd: those begin with rst_", "rosterd token create --org "+x.org)
		return
	}
	x.token = bare
	if x.daemon == nil {
		x.skip("token", "what the daemon knows of it is not known here")
		return
	}
	found, err := x.daemon.CheckToken(ctx, x.org, bare)
	if err != nil {
		x.skip("token", "the daemon does not say what it knows of it: "+err.Error())
		return
	}
	for _, problem := range found.Problems {
		text, fix, _ := strings.Cut(problem, ": ")
		x.fail("token", text, fix)
	}
	if found.Token != nil {
		x.describeToken(found)
	}
}

func (x *examination) describeToken(found client.TokenCheck) {
	t := *found.Token
	wanted := x.given.connection
	if wanted != "" && (t.Connection == nil || *t.Connection != wanted) {
		x.fail("token", t.Name+" is not bound to connection "+wanted+boundTo(t),
			"rosterd token create --org "+x.org+" --connection "+wanted)
	}
	if len(t.From) > 0 {
		x.warn("token", t.Name+" is taken from "+some(t.From)+" only",
			"see to it that these are the identity provider's addresses; from elsewhere, perhaps from here, it is refused")
	}
	if found.OK {
		x.ok("token", t.Name+boundTo(t)+", expires "+expiresWhen(t))
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
