package entra_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
)

const jobs = "/servicePrincipals/" + appID + "/synchronization/jobs"

// pausedJob is the example of Graph's page "List synchronization jobs": its interval is longer than any clock counts.
const pausedJob = `{
	"id": "scim.job", "templateId": "BoxOutDelta",
	"schedule": {"expiration": null, "interval": "P10675199DT2H48M5.4775807S", "state": "Disabled"},
	"status": {
		"countSuccessiveCompleteFailures": 0, "escrowsPruned": false, "synchronizedEntryCountByType": [], "code": "Paused",
		"lastExecution": null, "lastSuccessfulExecution": null, "lastSuccessfulExecutionWithExports": null,
		"steadyStateFirstAchievedTime": "0001-01-01T00:00:00Z", "steadyStateLastAchievedTime": "0001-01-01T00:00:00Z", "quarantine": null
	}}`

func quarantinedJob(id, reason string) string {
	return `{"id": "` + id + `", "status": {"code": "Quarantine", "countSuccessiveCompleteFailures": 4, "quarantine": {
		"reason": "` + reason + `", "currentBegan": "2026-11-20T08:00:00Z", "seriesBegan": "2026-11-18T08:00:00Z", "seriesCount": 2,
		"nextAttempt": "2026-11-21T08:00:00Z", "error": {"code": "` + reason + `Code", "message": "Look at it.", "tenantActionable": true}}}}`
}

func TestAJobReadsAsGraphDocumentsIt(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 11, day, 8, 0, 0, 0, time.UTC) }
	held := func(id, reason string) *connectors.Job {
		return &connectors.Job{ID: id, State: connectors.JobQuarantined, Failures: 4, Settings: map[string]string{},
			Quarantine: &connectors.Quarantine{Reason: reason, Message: "Look at it.", Since: at(18), Next: at(21)}}
	}
	for name, c := range map[string]struct {
		jobs string
		want *connectors.Job
	}{
		"none":                          {``, nil},
		"paused, with nothing to tell":  {pausedJob, &connectors.Job{ID: "scim.job", State: connectors.JobPaused, Settings: map[string]string{}}},
		"quarantined":                   {quarantinedJob("a", "EncounteredTotalEscrowThreshold"), held("a", "EncounteredTotalEscrowThreshold")},
		"a reason that nobody knew":     {quarantinedJob("a", "SomethingNew"), held("a", "SomethingNew")},
		"a reason that is not given":    {strings.Replace(quarantinedJob("a", "X"), `"reason": "X"`, `"reason": null`, 1), held("a", "XCode")},
		"of several the one with cares": {pausedJob + "," + quarantinedJob("a", "Unknown") + "," + quarantinedJob("b", "TooManyDeletes"), held("b", "TooManyDeletes")},
		"a state that nobody knew":      {`{"id": "a", "status": {"code": "Resting"}}`, &connectors.Job{ID: "a", State: connectors.JobUnknown, Settings: map[string]string{}}},
		"a status that is lacking":      {`{"id": "a"}`, &connectors.Job{ID: "a", State: connectors.JobUnknown, Settings: map[string]string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c2, _ := newFake(t, map[string]http.HandlerFunc{jobs: reply(http.StatusOK, `{"value": [`+c.jobs+`]}`)})
			got, err := c2.Job(t.Context())
			must(t, err)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// openTenant opens a connector on a simulated tenant.
func openTenant(t *testing.T) (*idpsim.Tenant, *entra.Connector) {
	t.Helper()
	s := idpsim.New(idpsim.Config{Seed: 1, Outsiders: -1, Disabled: -1, PageSize: 3})
	c, err := entra.Open(entra.Config{GraphURL: serve(t, s), AccessToken: s.AccessToken(), ServicePrincipalID: s.ServicePrincipalID()}, nil, nil)
	must(t, err)
	return s, c
}

func TestAJobOfATenant(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	j, err := c.Job(t.Context())
	must(t, err)
	if j == nil || j.ID != s.JobID() || j.State != connectors.JobNotRun || j.Settings["SkipOutOfScopeDeletions"] != "False" {
		t.Errorf("a new job reads %+v", j)
	}
	s.SetQuarantine(idpsim.TooManyDeletes, "Too many.")
	j, err = c.Job(t.Context())
	must(t, err)
	if j.State != connectors.JobQuarantined || j.Quarantine.Reason != connectors.TooManyDeletes || j.Quarantine.Since.IsZero() || j.Quarantine.Next.IsZero() {
		t.Errorf("a job in quarantine reads %+v %+v", j, j.Quarantine)
	}
	s.LiftQuarantine()
	s.PauseJob(true)
	if j, err = c.Job(t.Context()); err != nil || j.State != connectors.JobPaused || j.Quarantine != nil {
		t.Errorf("a paused job reads %+v, %v", j, err)
	}
}

func TestWhatAPermissionIsLackingForIsNamed(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	s.Deny(idpsim.SynchronizationReadAll, idpsim.AuditLogReadAll)
	for grant, ask := range map[string]func() error{
		"Synchronization.Read.All": func() error { _, err := c.Job(t.Context()); return err },
		"permission Synchronization.Read.All": func() error {
			_, err := c.JobSchema(t.Context(), s.JobID())
			return err
		},
		"AuditLog.Read.All": func() error {
			next, err := c.Causes(t.Context(), s.JobID(), "2026-11-01T00:00:00Z", nil)
			if next != "2026-11-01T00:00:00Z" {
				t.Errorf("the cursor moved to %s", next)
			}
			return err
		},
	} {
		if err := ask(); connectors.FaultOf(err) != connectors.MissingPermission || !strings.Contains(err.Error(), grant) {
			t.Errorf("%s: %v", grant, err)
		}
	}
	if err := c.Test(t.Context()); err != nil {
		t.Errorf("a pull needs neither, but the test says %v", err)
	}
}

func TestASchemaReadsAsGraphDocumentsIt(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	s.EditSchema(func(schema *idpsim.Schema) {
		*schema = idpsim.SchemaOf(idpsim.StockMapping())
		schema.Users.Flows = "Add, Update"
		schema.Users.Attributes = append(schema.Users.Attributes, idpsim.AttributeMapping{Target: "locale", Expression: `"en"`, OnCreate: true})
		schema.Users.Scope = []idpsim.ScopeGroup{
			{Name: "EMEA", Clauses: []idpsim.ScopeClause{{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}, {Attribute: "country", Operator: "IS NOT NULL"}}},
		}
		schema.Groups.Off = true
	})
	got, err := c.JobSchema(t.Context(), s.JobID())
	must(t, err)
	if len(got.Objects) != 2 {
		t.Fatalf("%d objects", len(got.Objects))
	}
	groups, users := got.Objects[0], got.Objects[1]
	if groups.Kind != connectors.JobGroups || groups.Enabled || users.Kind != connectors.JobUsers || !users.Enabled || users.RuleID != s.RuleID() {
		t.Errorf("objects read %+v", got.Objects)
	}
	if !users.Creates || !users.Updates || users.Deletes || !groups.Deletes {
		t.Error("what the job does, written with spaces, reads otherwise")
	}
	by := map[string]connectors.JobAttribute{}
	for _, a := range users.Attributes {
		by[a.Target] = a
	}
	for _, want := range []connectors.JobAttribute{
		{Target: "userName", Type: connectors.JobFromAttribute, Source: "userPrincipalName", Expression: "[userPrincipalName]", Matching: 1},
		{Target: "active", Type: connectors.JobFromFunction, Source: "Switch", Expression: `Switch([IsSoftDeleted], , "False", "True", "True", "False")`},
		{Target: "locale", Type: connectors.JobFromConstant, Source: "en", Expression: `"en"`, OnCreate: true},
		{Target: "externalId", Type: connectors.JobFromAttribute, Source: "mailNickname", Expression: "[mailNickname]"},
	} {
		if by[want.Target] != want {
			t.Errorf("%s reads %+v", want.Target, by[want.Target])
		}
	}
	scope := []connectors.JobScope{{Name: "EMEA", Clauses: []connectors.JobClause{
		{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}, {Attribute: "country", Operator: "IS NOT NULL", Values: []string{}},
	}}}
	if !reflect.DeepEqual(users.Scope, scope) || groups.Scope != nil {
		t.Errorf("the scope reads %+v", users.Scope)
	}
	if _, err := c.JobSchema(t.Context(), "another"); connectors.FaultOf(err) != connectors.NotFound {
		t.Errorf("a job that is not there: %v", err)
	}
	if _, err := c.JobSchema(t.Context(), ""); connectors.FaultOf(err) != connectors.NotFound {
		t.Errorf("no job: %v", err)
	}
}

// told gathers what a look at the log hands over.
func told(t *testing.T, c *entra.Connector, job, cursor string) (map[string]connectors.Cause, string) {
	t.Helper()
	out := map[string]connectors.Cause{}
	next, err := c.Causes(t.Context(), job, cursor, func(page []connectors.Cause) error {
		for _, cause := range page {
			out[cause.ID] = cause
		}
		return nil
	})
	must(t, err)
	return out, next
}

func TestCausesAreWhatWasSkippedAndWhatFailed(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	now := time.Now().UTC().Truncate(time.Second)
	entry := func(id, status, kind string, at time.Time) idpsim.ProvisioningEntry {
		return idpsim.ProvisioningEntry{ID: id, Time: at, Action: "other", Status: status, Type: kind, ObjectID: "0B1C" + id, Name: "Name " + id}
	}
	skipped, failed := entry("skipped", "skipped", "User", now.Add(-3*time.Hour)), entry("failed", "failure", "Group", now.Add(-time.Hour))
	skipped.SkipReason, skipped.Reason = "RedundantSoftDelete", "Already off."
	failed.ErrorCode, failed.Reason, failed.Action = "ContosoEntryConflict", "Somebody has that name.", "create"
	for _, e := range []idpsim.ProvisioningEntry{
		skipped, failed, entry("fine", "success", "User", now), entry("role", "failure", "RolesCompound", now), entry("old", "failure", "User", now.Add(-10*24*time.Hour)),
	} {
		s.AddProvisioningLog(e)
	}
	got, next := told(t, c, s.JobID(), "")
	want := map[string]connectors.Cause{
		"skipped": {ID: "skipped", At: skipped.Time, ObjectID: "0b1cskipped", Name: "Name skipped", Action: "other",
			Outcome: connectors.CauseSkipped, Reason: "RedundantSoftDelete", Text: "Already off."},
		"failed": {ID: "failed", At: failed.Time, Group: true, ObjectID: "0b1cfailed", Name: "Name failed", Action: "create",
			Outcome: connectors.CauseFailed, Reason: "ContosoEntryConflict", Text: "Somebody has that name."},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("causes read %+v", got)
	}
	if got, _ := told(t, c, "another job", ""); len(got) != 0 {
		t.Errorf("of another job: %v", got)
	}

	late := entry("late", "skipped", "User", skipped.Time.Add(-10*time.Minute))
	s.AddProvisioningLog(late)
	s.AddProvisioningLog(entry("new", "failure", "User", now))
	got, _ = told(t, c, s.JobID(), next)
	if len(got) < 2 || got["late"].ID == "" || got["late"].Reason != "Skipped" || got["new"].Reason != "Failed" {
		t.Errorf("the next look reads %v", got)
	}
}

// TestALookAtALongLogIsGoneOnWith: what one look leaves is read by the next.
func TestALookAtALongLogIsGoneOnWith(t *testing.T) {
	t.Parallel()
	const entries = 30
	begin := time.Now().UTC().Truncate(time.Second).Add(-6 * 24 * time.Hour)
	at := func(n int) string { return begin.Add(time.Duration(n) * time.Hour).Format(time.RFC3339) }
	c, f := newFake(t, nil)
	serve := func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if !strings.Contains(q.Get("$filter"), "'failure'") {
			page()(w, r)
			return
		}
		n := 0
		if token := q.Get("$skiptoken"); token != "" {
			n, _ = strconv.Atoi(token)
		} else {
			for m := range entries {
				if strings.Contains(q.Get("$filter"), "gt "+at(m)+" ") {
					n = m + 1
				}
			}
		}
		next := ""
		if n+1 < entries {
			next = fmt.Sprintf("%s/v1.0/auditLogs/provisioning?$filter='failure'&$skiptoken=%d", fakeURL, n+1)
		}
		list(next, []object{{"id": fmt.Sprint(n), "activityDateTime": at(n), "provisioningStatusInfo": object{"status": "failure"},
			"sourceIdentity": object{"id": id(n), "identityType": "User"}}})(w, r)
	}
	f.routes["/auditLogs/provisioning"] = serve
	for n := range entries {
		f.routes[fmt.Sprintf("/auditLogs/provisioning#%d", n)] = serve
	}
	first, next := told(t, c, "job", "")
	if len(first) == 0 || len(first) >= entries {
		t.Fatalf("the first look read %d of %d", len(first), entries)
	}
	second, _ := told(t, c, "job", next)
	for id := range first {
		second[id] = first[id]
	}
	if len(second) != entries {
		t.Errorf("two looks read %d and, together, %d of %d", len(first), len(second), entries)
	}
}

// A tenant without the licence is told so, and not to grant what is granted.
func TestALogThatTheLicenceLacks(t *testing.T) {
	t.Parallel()
	c, _ := newFake(t, map[string]http.HandlerFunc{"/auditLogs/provisioning": reply(http.StatusForbidden,
		`{"error":{"code":"Authentication_RequestFromNonPremiumTenantOrB2CTenant","message":"Neither tenant is B2C or tenant doesn't have premium license"}}`)})
	_, err := c.Causes(t.Context(), "job", "", nil)
	if connectors.FaultOf(err) != connectors.MissingPermission || !strings.Contains(err.Error(), "P1 or P2 licence") || strings.Contains(err.Error(), "Grant") {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorLeavesTheLogsCursorWhereItWas(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	s.AddProvisioningLog(idpsim.ProvisioningEntry{Action: "other", Status: "failure", Type: "User", ObjectID: "a"})
	stop := errors.New("the disk is full")
	next, err := c.Causes(t.Context(), s.JobID(), "before", func([]connectors.Cause) error { return stop })
	if next != "before" || !errors.Is(err, stop) {
		t.Errorf("next = %q, %v", next, err)
	}
}

func TestAJobIsRestartedAsThePortalDoes(t *testing.T) {
	t.Parallel()
	s, c := openTenant(t)
	s.SetQuarantine(idpsim.BaseEscrowThreshold, "")
	must(t, c.RestartJob(t.Context(), s.JobID()))
	// Links are kept, and deletions that Entra holds back are not forced.
	if got := s.Restarts(); !reflect.DeepEqual(got, []string{"Escrows,Watermark,QuarantineState"}) || s.Quarantined() != "" {
		t.Errorf("restarted with %q, in quarantine for %q", got, s.Quarantined())
	}
	if err := c.CheckJob(t.Context(), s.JobID()); connectors.FaultOf(err) != connectors.Broken || !strings.Contains(err.Error(), "No credentials") {
		t.Errorf("a job without credentials: %v", err)
	}
	scim := &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		if r.Header.Get("Authorization") == "Bearer good" {
			_, _ = w.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return w.Result()
	})}
	for token, works := range map[string]bool{"good": true, "expired": false} {
		_, err := idpsim.NewPusher(s, idpsim.PushConfig{BaseURL: "http://scim.invalid", Token: token, Client: scim, Retries: -1})
		must(t, err)
		if err := c.CheckJob(t.Context(), s.JobID()); (err == nil) != works {
			t.Errorf("a job with the token %s: %v", token, err)
		}
	}
	s.Deny(idpsim.SynchronizationReadWriteAll)
	for what, err := range map[string]error{"restart": c.RestartJob(t.Context(), s.JobID()), "check": c.CheckJob(t.Context(), s.JobID())} {
		if connectors.FaultOf(err) != connectors.MissingPermission || !strings.Contains(err.Error(), "Synchronization.ReadWrite.All") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) *http.Response

// RoundTrip answers.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestOnePersonIsProvisionedOnDemand(t *testing.T) {
	t.Parallel()
	const provision = jobs + "/job/provisionOnDemand"
	const schema = `{"synchronizationRules":[{"id":"rule","objectMappings":[{"enabled":true,"sourceObjectName":"User","attributeMappings":[]}]}]}`
	answer := func(key, value string) string {
		return string(mustJSON(t, object{"@odata.context": "x", "key": key, "value": value}))
	}
	for name, c := range map[string]struct {
		answer string
		want   connectors.Provisioned
		fault  connectors.Fault
	}{
		// The example of Graph's page "synchronizationJob: provisionOnDemand", shortened.
		"skipped": {answer(`{"result":"Skipped","details":{"errorCode":"RedundantExport","errorMessage":"They match."}}`, `{"action":"Other","changeId":"g8"}`),
			connectors.Provisioned{Outcome: connectors.ProvisionSkipped, Action: "other", Reason: "RedundantExport", Text: "They match."}, ""},
		"done": {answer(`{"result":"Success","details":{}}`, `{"action":"Create"}`), connectors.Provisioned{Outcome: connectors.ProvisionDone, Action: "create"}, ""},
		"failed": {answer(`{"result":"Failure","details":{"errorCode":"Conflict"}}`, `not JSON`),
			connectors.Provisioned{Outcome: connectors.ProvisionFailed, Reason: "Conflict"}, ""},
		"no answer":   {answer(`?`, ``), connectors.Provisioned{}, connectors.Broken},
		"not allowed": {"", connectors.Provisioned{}, connectors.MissingPermission},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := reply(http.StatusOK, c.answer)
			if c.answer == "" {
				h = reply(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied","message":"No."}}`)
			}
			conn, fake := newFake(t, map[string]http.HandlerFunc{jobs + "/job/schema": reply(http.StatusOK, schema), provision: h})
			got, err := conn.Provision(t.Context(), "job", id(1))
			if got != c.want || connectors.FaultOf(err) != c.fault {
				t.Errorf("got %+v, %v", got, err)
			}
			sent := fake.requests(provision)
			if len(sent) != 1 || sent[0].Method != http.MethodPost {
				t.Errorf("sent %v", sent)
			}
		})
	}
	conn, fake := newFake(t, nil)
	if _, err := conn.Provision(t.Context(), "job", "not an id"); connectors.FaultOf(err) != connectors.Broken || len(fake.requests("")) != 0 {
		t.Errorf("what is no object id: %v", err)
	}
}

func mustJSON(t *testing.T, o object) []byte {
	t.Helper()
	raw, err := json.Marshal(o)
	must(t, err)
	return raw
}
