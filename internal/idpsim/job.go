package idpsim

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// QuarantineReason is why a provisioning job was quarantined (page "synchronizationQuarantine resource type").
type QuarantineReason string

// The reasons of use here.
const (
	BaseEscrowThreshold  QuarantineReason = "EncounteredBaseEscrowThreshold"
	TotalEscrowThreshold QuarantineReason = "EncounteredTotalEscrowThreshold"
	QuarantineException  QuarantineReason = "EncounteredQuarantineException" // bad credentials
	QuarantinedOnDemand  QuarantineReason = "QuarantinedOnDemand"
	TooManyDeletes       QuarantineReason = "TooManyDeletes"
	UnknownQuarantine    QuarantineReason = "Unknown"
)

// jobState is what the provisioning job's status tells.
type jobState struct {
	quarantine QuarantineReason
	message    string
	began      time.Time
	series     int
	failures   int // cycles in a row that failed whole
	last       *execution
	lastGood   *execution
	lastExport *execution
	first      time.Time // steady state first reached
	steady     time.Time
	paused     bool
}

// execution is one cycle (page "synchronizationTaskExecution resource type").
type execution struct {
	id                  string
	began, ended        time.Time
	failed              bool
	imported, exported  int
	escrowed, entitled  int
	code, failureReason string
}

// SetQuarantine puts the provisioning job in quarantine as Graph shows it, with no effect on any Pusher: see
// Pusher.Quarantine.
func (t *Tenant) SetQuarantine(reason QuarantineReason, message string) {
	t.state.Lock()
	defer t.state.Unlock()
	if t.job.quarantine == "" {
		t.job.began = t.cfg.Now().UTC()
		t.job.series = 0
	}
	t.job.quarantine, t.job.message = reason, message
	t.job.series++
}

// LiftQuarantine ends the quarantine as Graph shows it.
func (t *Tenant) LiftQuarantine() {
	t.state.Lock()
	defer t.state.Unlock()
	t.job.quarantine, t.job.message = "", ""
}

// Quarantined returns the reason of the job's quarantine, or "".
func (t *Tenant) Quarantined() QuarantineReason {
	t.state.Lock()
	defer t.state.Unlock()
	return t.job.quarantine
}

// PauseJob switches provisioning off or on, as Graph shows it.
func (t *Tenant) PauseJob(paused bool) {
	t.state.Lock()
	defer t.state.Unlock()
	t.job.paused = paused
}

// recordCycle notes a cycle of the push engine in the job's status.
func (t *Tenant) recordCycle(e execution) {
	t.state.Lock()
	defer t.state.Unlock()
	t.job.last = &e
	if e.failed {
		t.job.failures++
		return
	}
	t.job.failures = 0
	t.job.lastGood = &e
	if e.exported > 0 {
		t.job.lastExport = &e
	}
	if e.escrowed == 0 {
		t.job.steady = e.ended
		if t.job.first.IsZero() {
			t.job.first = e.ended
		}
	}
}

func jobEntity() entity {
	all := []string{"id", "templateId", "schedule", "status", "synchronizationJobSettings"}
	return entity{typ: "synchronizationJob", all: all, standard: all}
}

// renderJob follows the page "synchronizationJob resource type". Times that are not set are the year 1.
func (t *Tenant) renderJob() object {
	t.state.Lock()
	defer t.state.Unlock()
	code, state := "Active", "Active"
	switch {
	case t.job.paused:
		code, state = "Paused", "Disabled"
	case t.job.quarantine != "":
		code = "Quarantine"
	case t.job.last == nil:
		code = "NotRun"
	}
	return object{
		"id": t.jobID, "templateId": "scim",
		"schedule": object{"expiration": nil, "interval": "PT40M", "state": state},
		"status": object{
			"code": code, "countSuccessiveCompleteFailures": t.job.failures, "escrowsPruned": false,
			"lastExecution": t.job.last.render(), "lastSuccessfulExecution": t.job.lastGood.render(),
			"lastSuccessfulExecutionWithExports": t.job.lastExport.render(), "progress": []object{},
			"quarantine": t.renderQuarantine(), "steadyStateFirstAchievedTime": stamp(t.job.first),
			"steadyStateLastAchievedTime": stamp(t.job.steady), "synchronizedEntryCountByType": []object{},
			"troubleshootingUrl": "",
		},
		"synchronizationJobSettings": []object{
			{"name": "AzureIngestionAttributeOptimization", "value": "False"},
			{"name": "SkipOutOfScopeDeletions", "value": cmp.Or(t.secrets["SkipOutOfScopeDeletions"], "False")},
		},
	}
}

func (t *Tenant) renderQuarantine() any {
	if t.job.quarantine == "" {
		return nil
	}
	message := cmp.Or(t.job.message, "The provisioning job was quarantined.")
	return object{
		"reason": string(t.job.quarantine), "currentBegan": stamp(t.job.began), "seriesBegan": stamp(t.job.began),
		"seriesCount": t.job.series, "nextAttempt": stamp(t.job.began.Add(6 * time.Hour)),
		"error": object{"code": string(t.job.quarantine), "message": message, "tenantActionable": true},
	}
}

func (e *execution) render() any {
	if e == nil {
		return nil
	}
	state, err := "Succeeded", any(nil)
	if e.failed {
		state = "Failed"
		err = object{"code": e.code, "message": e.failureReason, "tenantActionable": true}
	}
	return object{
		"activityIdentifier": e.id, "countEntitled": e.entitled, "countEntitledForProvisioning": e.entitled,
		"countEscrowed": e.escrowed, "countEscrowedRaw": e.escrowed, "countExported": e.exported, "countExports": e.exported,
		"countImported": e.imported, "countImportedDeltas": e.imported, "countImportedReferenceDeltas": 0, "state": state,
		"error": err, "timeBegan": stamp(e.began), "timeEnded": stamp(e.ended),
	}
}

// listJobs answers the page "List synchronizationJobs".
func (t *Tenant) listJobs(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID {
		return notFound(r.params[0])
	}
	return r.page(list{
		entity: jobEntity(), context: "servicePrincipals('" + r.params[0] + "')/synchronization/jobs",
		ids: []string{t.jobID}, size: t.cfg.PageSize, get: func(string) object { return t.renderJob() },
	})
}

func (t *Tenant) getJob(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID || !strings.EqualFold(r.params[1], t.jobID) {
		return fail(http.StatusNotFound, "Request_ResourceNotFound", "The synchronization job was not found.")
	}
	return r.one(jobEntity(), "servicePrincipals('"+r.params[0]+"')/synchronization/jobs", t.renderJob())
}
