package syncer_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// diagnoses runs a check of the connection and returns its findings as "state check: text -> fix".
func (w *world) diagnoses() []string {
	w.t.Helper()
	found, err := w.syncer.Diagnose(context.Background(), w.org, w.conn)
	w.ok(err)
	out := make([]string, len(found))
	for i, f := range found {
		out[i] = string(f.State) + " " + f.Check + ": " + f.Text
		if f.Fix != "" {
			out[i] += " -> " + f.Fix
		}
		if (f.State == roster.FindingFail || f.State == roster.FindingWarn) && f.Fix == "" && f.Check != "connection" {
			w.t.Errorf("no way out of %q", out[i])
		}
	}
	return out
}

// finds holds that one finding begins so and has all these words.
func (w *world) finds(found []string, begins string, words ...string) {
	w.t.Helper()
	if !slices.ContainsFunc(found, func(f string) bool {
		return strings.HasPrefix(f, begins) && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(f, word) })
	}) {
		w.t.Errorf("no %q with %q in\n\t%s", begins, words, strings.Join(found, "\n\t"))
	}
}

func onSQLite(t *testing.T, test func(w *world)) {
	t.Helper()
	test(newWorld(t, storetest.Open(t, storetest.Database{Kind: "sqlite", Dir: t.TempDir()}), 6, 1))
}

// cycleOf lets the tenant's job run once against a SCIM server that answers everything so.
func (w *world) cycleOf(status int) {
	w.t.Helper()
	p, err := idpsim.NewPusher(w.tenant, idpsim.PushConfig{BaseURL: "http://scim.invalid", Token: "t", Retries: -1,
		Client: &http.Client{Transport: answering(status)}})
	w.ok(err)
	_, _ = p.Cycle(context.Background()) // how it ends is the job's to tell
}

// answering answers every request with a status and nothing else.
type answering int

// RoundTrip answers.
func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(a), Header: http.Header{}, Request: req, Body: http.NoBody}, nil
}

func TestTheStateOfTheJobIsDiagnosed(t *testing.T) {
	for name, c := range map[string]struct {
		is     func(w *world)
		begins string
		words  []string
	}{
		"not run":     {func(*world) {}, "warn job: the provisioning job has not run yet", []string{"Start provisioning"}},
		"paused":      {func(w *world) { w.tenant.PauseJob(true) }, "warn job: the provisioning job is switched off", []string{"Start provisioning"}},
		"no token":    {func(w *world) { w.cycleOf(http.StatusUnauthorized) }, "fail job: in quarantine: EncounteredQuarantineException", []string{"rosterd doctor scim --org acme", "rosterd token create", "Restart provisioning"}},
		"deletes":     {func(w *world) { w.tenant.SetQuarantine(idpsim.TooManyDeletes, "Many.") }, "fail job: in quarantine: TooManyDeletes, since ", []string{"it tries again", "Many.", "rosterd diff --org acme --connection entra"}},
		"escrows":     {func(w *world) { w.tenant.SetQuarantine(idpsim.BaseEscrowThreshold, "") }, "fail job: in quarantine: EncounteredBaseEscrowThreshold", []string{"mend what its log says"}},
		"on demand":   {func(w *world) { w.tenant.SetQuarantine(idpsim.QuarantinedOnDemand, "") }, "fail job: in quarantine: QuarantinedOnDemand", []string{"Restart provisioning"}},
		"objects":     {func(w *world) { w.cycleOf(http.StatusBadRequest) }, "warn job: active", []string{"objects failed and wait for another try"}},
		"forbidden":   {func(w *world) { w.tenant.Deny(idpsim.SynchronizationReadAll) }, "warn job: Graph refused", []string{"Synchronization.Read.All"}},
		"broken":      {func(w *world) { w.tenant.Inject(idpsim.Fault{Path: atJobs, Status: 500}) }, "fail job: Graph could not give", nil},
		"no job":      {func(w *world) { w.tenant.Inject(idpsim.Fault{Path: atJobs, Empty: true}) }, "warn job: the application has no provisioning job", []string{"SCIM base URL"}},
		"no pull":     {func(w *world) { w.tenant.Inject(idpsim.Fault{Path: atAssignments, Status: 500}) }, "skip job: not asked", nil},
		"half a pull": {func(w *world) { w.tenant.Deny(idpsim.UserReadAll) }, "warn job: the provisioning job has not run yet", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSQLite(t, func(w *world) {
				c.is(w)
				w.finds(w.diagnoses(), c.begins, c.words...)
			})
		})
	}
}

func TestTheLogIsDiagnosedByReason(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(w *world) {
		now := time.Now().UTC().Truncate(time.Second)
		add := func(status, reason, name string, ago time.Duration) {
			w.tenant.AddProvisioningLog(idpsim.ProvisioningEntry{Time: now.Add(-ago), Action: "other", Status: status, Type: "User", ObjectID: name, Name: name,
				SkipReason: reason, ErrorCode: reason, Reason: "It is so."})
		}
		w.finds(w.diagnoses(), "ok log: nothing failed of late")
		add("skipped", "RedundantExport", "quiet", time.Hour)
		w.finds(w.diagnoses(), "ok log: nothing failed of late; 1 objects were skipped as out of scope or unchanged")
		for i, name := range []string{"a", "b", "c", "d", "d"} {
			add("failure", "EntryConflict", name, time.Duration(5-i)*time.Hour)
		}
		add("skipped", "RedundantSoftDelete", "ada@x.com", time.Hour)
		found := w.diagnoses()
		w.finds(found, "warn log: 4 objects failed: EntryConflict, e.g. d at "+now.Add(-time.Hour).Format(time.RFC3339)+", c at ", ", b at ", "It says: It is so", "rosterd members list --org acme --search d")
		w.finds(found, "warn log: 1 object skipped: RedundantSoftDelete", "rosterd resync --org acme --connection entra --user ada@x.com")
		if slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, " a at ") || strings.Contains(f, "ok log") }) {
			t.Errorf("more than three examples, or all is well: %q", found)
		}
		for i := range 12 {
			add("failure", "Reason"+string(rune('A'+i)), "x", time.Hour)
		}
		w.finds(w.diagnoses(), "warn log: 4 more reasons", "portal")
		w.tenant.Deny(idpsim.AuditLogReadAll)
		w.finds(w.diagnoses(), "warn log: Graph refused", "AuditLog.Read.All")
	})
}

func TestWhatTheJobDoesNotSendIsDiagnosed(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(w *world) {
		w.finds(w.diagnoses(), "ok mapping: ")
		w.tenant.EditSchema(func(s *idpsim.Schema) { s.Users.Flows, s.Groups.Off = "Add, Update", true })
		found := w.diagnoses()
		w.finds(found, "warn mapping: the job does not delete users", "Target Object Actions")
		w.finds(found, "warn mapping: the job sends no groups", "portal")
		w.tenant.EditSchema(func(s *idpsim.Schema) { s.Users.Off = true })
		w.finds(w.diagnoses(), "warn mapping: the job sends no users", "portal")
	})
}

func TestWhereTheJobMapsOtherwiseIsDiagnosed(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(s *idpsim.Schema)
		begins string
		words  []string
	}{
		"another attribute": {func(s *idpsim.Schema) { s.Users.Attributes[2].Source = "userPrincipalName" },
			`fail mapping: emails[type eq "work"].value of users: the job takes it from [userPrincipalName], this connection from [mail]`, []string{"-> map it from [mail] in the portal"}},
		"a function": {func(s *idpsim.Schema) { s.Users.Attributes[0].Expression = "ToLower([userPrincipalName])" },
			"fail mapping: userName of users: the job takes it from ToLower([userPrincipalName]), this connection from [userPrincipalName]", nil},
		"not sent": {func(s *idpsim.Schema) { s.Users.Attributes = s.Users.Attributes[:5] },
			"warn mapping: name.familyName of users: the job does not send it", []string{"[surname]"}},
		"a group's externalId": {func(s *idpsim.Schema) { s.Groups.Attributes[1].Source = "mailNickname" },
			"fail mapping: externalId of groups: the job takes it from [mailNickname], this connection from [objectId]", []string{"Mappings, groups"}},
		"a scoping filter": {func(s *idpsim.Schema) {
			s.Users.Scope = []idpsim.ScopeGroup{
				{Clauses: []idpsim.ScopeClause{{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}}, {Attribute: "mail", Operator: "IS NOT NULL"}}},
				{Clauses: []idpsim.ScopeClause{{Attribute: "country", Operator: "EQUALS", Values: []string{"FR"}}}}}
		}, "ok scope: the job lets only those users in", []string{"department EQUALS Sales and mail IS NOT NULL, or country EQUALS FR, and so do runs"}},
		"a scoping filter that can't be judged": {func(s *idpsim.Schema) {
			s.Groups.Scope = []idpsim.ScopeGroup{{Clauses: []idpsim.ScopeClause{{Attribute: "owners", Operator: "IS NOT NULL"}}}}
		}, "warn scope: The scoping filter for groups has a clause that can't be judged, owners IS NOT NULL", []string{"docs/entra.md"}},
		"more than here":        {func(s *idpsim.Schema) { *s = idpsim.SchemaOf(idpsim.StockMapping()) }, "ok mapping: ", nil},
		"a mapping that is off": {func(s *idpsim.Schema) { s.Groups.Off, s.Groups.Attributes = true, nil }, "warn mapping: the job sends no groups", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSQLite(t, func(w *world) {
				w.tenant.EditSchema(c.edit)
				w.finds(w.diagnoses(), c.begins, c.words...)
			})
		})
	}
}

func TestWhatTheJobMatchesByIsDiagnosed(t *testing.T) {
	users := func(edit func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping) func(s *idpsim.Schema) {
		return func(s *idpsim.Schema) { s.Users.Attributes = edit(s.Users.Attributes) }
	}
	for name, c := range map[string]struct {
		edit   func(s *idpsim.Schema)
		begins string
		words  []string
	}{
		"as set up": {func(*idpsim.Schema) {}, "ok mapping: ", nil},
		"by the id": {func(s *idpsim.Schema) { *s = idpsim.SchemaOf(idpsim.Mapping{MatchGroupsByExternalID: true}) }, "ok mapping: ", nil},
		"by nothing": {users(func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping { as[0].Matching = 0; return as }),
			"fail matching: the job has no matching attribute for users", []string{"give userName the matching precedence 1"}},
		"by a display name": {users(func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping { as[3].Matching = 2; return as }),
			"fail matching: the job finds users by displayName", []string{"match by one of userName, externalId"}},
		"without active": {users(func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping { return append(as[:1:1], as[2:]...) }),
			"fail active: the job does not map active", []string{"IsSoftDeleted"}},
		"active by the account alone": {users(func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping {
			as[1] = idpsim.AttributeMapping{Target: "active", Source: "accountEnabled"}
			return as
		}), "warn active: the job maps active from [accountEnabled]", []string{"IsSoftDeleted"}},
		"active by Not": {users(func(as []idpsim.AttributeMapping) []idpsim.AttributeMapping {
			as[1].Expression = "Not([IsSoftDeleted])"
			return as
		}), "ok mapping: ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSQLite(t, func(w *world) {
				w.tenant.EditSchema(c.edit)
				w.finds(w.diagnoses(), c.begins, c.words...)
			})
		})
	}
}

func TestAConnectionTestNamesWhatTheEvidenceLacks(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(w *world) {
		test := func() string {
			text, err := w.syncer.Test(context.Background(), w.org, w.conn)
			w.ok(err)
			return text
		}
		if got := test(); strings.Contains(got, "Runs go on") {
			t.Errorf("all is granted: %s", got)
		}
		w.tenant.Deny(idpsim.SynchronizationReadAll, idpsim.AuditLogReadAll)
		if got := test(); !strings.Contains(got, "Synchronization.Read.All") || !strings.Contains(got, "AuditLog.Read.All") {
			t.Errorf("nothing is granted: %s", got)
		}
	})
}

// A connection of another IdP is checked as far as that can be.
func TestAnOktaConnectionIsDiagnosed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		w := newWorld(t, db, 6, 1)
		_, conn := w.oktaToo(4, 1, "")
		found, err := w.syncer.Diagnose(context.Background(), w.org, conn)
		if err != nil || len(found) == 0 || found[0].Check != "connection" || found[0].State != roster.FindingOK {
			t.Errorf("found %+v, %v", found, err)
		}
		if _, err := w.syncer.Diagnose(context.Background(), w.org, "nobody"); roster.CodeOf(err) != roster.Conflict {
			t.Errorf("a connection that is not there: %v", err)
		}
	})
}

// A check of a job is said to be left out only where the identity provider has one.
func TestNoJobIsSpokenOfWhereTheIdPHasNone(t *testing.T) {
	eachWorld(t, 5, 1, func(w *world) {
		w.reader(func(r wholeReader) connectors.Reader { return jobless{r} })
		if found := w.diagnoses(); len(found) != 1 || !strings.HasPrefix(found[0], "fail connection") {
			w.t.Errorf("found %v", found)
		}
	})
}

// jobless is a connector without a job, whose credentials are refused.
type jobless struct{ wholeReader }

// Test refuses.
func (jobless) Test(context.Context) error {
	return &connectors.Error{Fault: connectors.BadCredentials, Message: "the token is not accepted"}
}
