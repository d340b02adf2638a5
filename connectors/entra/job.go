package entra

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"

	"github.com/rosterd/rosterd/connectors"
)

const (
	readJobs = "Synchronization.Read.All"
	checkSP  = "Check service_principal_id: it is the object id of the enterprise application, not the client id."
)

// graphJob is Graph's account of a job (Graph documentation, "synchronizationJob resource type").
type graphJob struct {
	ID       string `json:"id"`
	Settings []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"synchronizationJobSettings"`
	Status *struct { // "synchronizationStatus resource type"
		Code        string           `json:"code"`
		Failures    int              `json:"countSuccessiveCompleteFailures"`
		Steady      time.Time        `json:"steadyStateLastAchievedTime"`
		Last        *graphExecution  `json:"lastExecution"`
		LastSuccess *graphExecution  `json:"lastSuccessfulExecution"`
		Quarantine  *graphQuarantine `json:"quarantine"`
	} `json:"status"`
}

// graphExecution is one cycle ("synchronizationTaskExecution resource type").
type graphExecution struct {
	ID       string      `json:"activityIdentifier"`
	State    string      `json:"state"`
	Began    time.Time   `json:"timeBegan"`
	Ended    time.Time   `json:"timeEnded"`
	Imported int         `json:"countImported"`
	Exported int         `json:"countExported"`
	Escrowed int         `json:"countEscrowed"`
	Error    *graphError `json:"error"`
}

// graphQuarantine follows "synchronizationQuarantine resource type".
type graphQuarantine struct {
	Reason       string      `json:"reason"`
	CurrentBegan time.Time   `json:"currentBegan"`
	SeriesBegan  time.Time   `json:"seriesBegan"`
	NextAttempt  time.Time   `json:"nextAttempt"`
	Error        *graphError `json:"error"`
}

// graphError follows "synchronizationError resource type".
type graphError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Job reads the enterprise application's provisioning job (Graph documentation, "List synchronization jobs"). An
// application that was set up more than once may have several: the one that needs attention is told of. It needs
// Synchronization.Read.All.
func (c *Connector) Job(ctx context.Context) (*connectors.Job, error) {
	ctx = c.budgeted(ctx)
	var best *connectors.Job
	err := connectors.Walk(ctx, connectors.Unstamped, c.listJobs, func(_ connectors.Stamp, items []graphJob) error {
		for i := range items {
			if j := items[i].job(); best == nil || attention(j) < attention(best) {
				best = j
			}
		}
		return nil
	})
	connectors.BudgetFrom(ctx).Keep(rulesKey{c, true}, jobsRead{best, err})
	return best, err
}

func (c *Connector) jobsBuilder() *serviceprincipals.ItemSynchronizationJobsRequestBuilder {
	return serviceprincipals.NewServicePrincipalsRequestBuilderInternal(map[string]string{}, c.adapter).
		ByServicePrincipalId(c.sp.String()).Synchronization().Jobs()
}

// listJobs reads a page. The page "List synchronization jobs" documents no query parameters, so none are sent.
func (c *Connector) listJobs(ctx context.Context, link string) (connectors.Page[graphJob], error) {
	a := ask{what: "the application's provisioning jobs", grant: readJobs, missing: checkSP}
	b := c.jobsBuilder()
	if link != "" {
		b = b.WithUrl(link)
	}
	type answer struct {
		Value *[]graphJob `json:"value"`
		Next  string      `json:"@odata.nextLink"`
	}
	res, err := readRaw[answer](ctx, c, a, func() (*abs.RequestInformation, error) { return b.ToGetRequestInformation(ctx, nil) })
	if err != nil {
		return connectors.Page[graphJob]{}, err
	}
	if res.Value == nil {
		return connectors.Page[graphJob]{}, a.broken("an answer that holds no list")
	}
	if res.Next != "" {
		if err := c.origin.Follow(res.Next); err != nil {
			return connectors.Page[graphJob]{}, err
		}
	}
	return connectors.Page[graphJob]{Items: *res.Value, Next: res.Next}, nil
}

// attention orders jobs: what holds removals first, then what is amiss, then what works.
func attention(j *connectors.Job) int {
	if j.Quarantine != nil && j.Quarantine.Reason == connectors.TooManyDeletes {
		return -1
	}
	return slices.Index([]connectors.JobState{
		connectors.JobQuarantined, connectors.JobActive, connectors.JobNotRun, connectors.JobPaused, connectors.JobUnknown, connectors.JobNotSetUp,
	}, j.State)
}

func (g *graphJob) job() *connectors.Job {
	j := &connectors.Job{ID: g.ID, State: connectors.JobUnknown, Settings: map[string]string{}}
	for _, s := range g.Settings {
		j.Settings[s.Name] = s.Value
	}
	if g.Status == nil {
		return j
	}
	if state, known := map[string]connectors.JobState{
		"NotConfigured": connectors.JobNotSetUp, "NotRun": connectors.JobNotRun, "Active": connectors.JobActive,
		"Paused": connectors.JobPaused, "Quarantine": connectors.JobQuarantined,
	}[g.Status.Code]; known {
		j.State = state
	}
	if q := g.Status.Quarantine; q != nil {
		j.Quarantine = q.quarantine()
	}
	if j.State == connectors.JobQuarantined && j.Quarantine == nil {
		j.Quarantine = &connectors.Quarantine{Reason: "Unknown"}
	}
	j.Failures, j.SteadySince = g.Status.Failures, when(&g.Status.Steady)
	j.Last, j.LastGood = g.Status.Last.cycle(), g.Status.LastSuccess.cycle()
	return j
}

// quarantine takes the beginning of the series: between quarantines that follow each other nothing was sent dependably.
func (q *graphQuarantine) quarantine() *connectors.Quarantine {
	out := &connectors.Quarantine{Reason: q.Reason, Since: when(&q.SeriesBegan), Next: when(&q.NextAttempt)}
	if out.Since.IsZero() {
		out.Since = when(&q.CurrentBegan)
	}
	if q.Error != nil {
		out.Reason, out.Message = cmp.Or(out.Reason, q.Error.Code), q.Error.Message
	}
	out.Reason = cmp.Or(out.Reason, "Unknown")
	return out
}

func (e *graphExecution) cycle() *connectors.JobCycle {
	if e == nil {
		return nil
	}
	out := &connectors.JobCycle{
		ID: e.ID, Began: when(&e.Began), Ended: when(&e.Ended), Failed: e.State == "Failed",
		Imported: e.Imported, Exported: e.Exported, Escrowed: e.Escrowed,
	}
	if e.Error != nil {
		out.Error = strings.TrimSuffix(strings.TrimPrefix(e.Error.Code+": "+e.Error.Message, ": "), ": ")
	}
	return out
}

// when reads a time. One that is not set comes as the first instant of the year 1.
func when(t *time.Time) time.Time {
	if t == nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}
