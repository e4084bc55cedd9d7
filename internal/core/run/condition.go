package run

import "time"

// Condition is one thing that is to become true of a service or a revision.
type Condition struct {
	Type    string
	State   State
	Reason  Reason // why it is not True
	Message string // for people
	Time    time.Time
}

// State is whether a condition holds.
type State string

// The states of a condition, in Knative's words.
const (
	Unknown State = "Unknown" // it is being worked on
	True    State = "True"
	False   State = "False"
)

// The types of conditions. A service has the first three, a revision the first
// and the last three.
const (
	ConditionReady         = "Ready"
	ConditionConfiguration = "ConfigurationsReady"
	ConditionRoutes        = "RoutesReady"

	ConditionContainer = "ContainerReady"
	ConditionHealthy   = "ContainerHealthy"
	ConditionResources = "ResourcesAvailable"
	ConditionActive    = "Active"
)

// Reason is why a condition does not hold: a CommonReason or RevisionReason of
// google.cloud.run.v2.Condition.
type Reason string

// The reasons that are given here.
const (
	ReasonRevisionFailed   Reason = "REVISION_FAILED"
	ReasonContainerMissing Reason = "CONTAINER_MISSING"
	ReasonUnauthorized     Reason = "CONTAINER_IMAGE_UNAUTHORIZED"
	ReasonHealthCheck      Reason = "HEALTH_CHECK_CONTAINER_ERROR"
	ReasonDeadline         Reason = "PROGRESS_DEADLINE_EXCEEDED"
	ReasonInternal         Reason = "INTERNAL"
	ReasonWaiting          Reason = "WAITING_FOR_OPERATION"
	ReasonRetired          Reason = "RETIRED"
)

// stateOf is the state of what has the conditions.
func stateOf(conditions []Condition) State {
	for _, c := range conditions {
		if c.Type == ConditionReady {
			return c.State
		}
	}
	return Unknown
}

// pending are the conditions of a service that is being changed.
func pending(now []Condition, revision bool, at time.Time) []Condition {
	out := []Condition{condition(ConditionReady, Unknown, ReasonWaiting, "", at)}
	for _, kind := range []string{ConditionConfiguration, ConditionRoutes} {
		if kind == ConditionConfiguration && !revision {
			if c, ok := find(now, kind); ok {
				out = append(out, c)
				continue
			}
		}
		out = append(out, condition(kind, Unknown, ReasonWaiting, "", at))
	}
	return out
}

// conditions are those of a service whose changes are all in effect. The newest
// revision may have failed before.
func (s *Service) conditions(at time.Time) []Condition {
	routes := Condition{Type: ConditionRoutes, State: True, Time: at}
	if c, ok := find(s.Conditions, ConditionConfiguration); ok && s.Created != s.Ready {
		return []Condition{condition(ConditionReady, c.State, c.Reason, c.Message, at), c, routes}
	}
	return []Condition{
		{Type: ConditionReady, State: True, Time: at},
		{Type: ConditionConfiguration, State: True, Time: at},
		routes,
	}
}

// failedRoutes are the conditions of a service whose split could not be brought
// into effect.
func failedRoutes(cause error, at time.Time) []Condition {
	why, message := reason(cause), public(cause)
	return []Condition{
		condition(ConditionReady, False, why, message, at),
		{Type: ConditionConfiguration, State: True, Time: at},
		condition(ConditionRoutes, False, why, message, at),
	}
}

// failedService are the conditions of a service whose newest revision failed. It
// is routed to an older one, if there is one.
func failedService(s *Service, rev *Revision, at time.Time) []Condition {
	cause, _ := find(rev.Conditions, ConditionReady)
	message := "Revision '" + rev.ID + "' is not ready and cannot serve traffic. " + cause.Message
	out := []Condition{
		condition(ConditionReady, False, cause.Reason, message, at),
		condition(ConditionConfiguration, False, cause.Reason, message, at),
		{Type: ConditionRoutes, State: True, Time: at},
	}
	if s.Ready == "" {
		out[2] = condition(ConditionRoutes, False, cause.Reason, message, at)
	}
	return out
}

func readyRevision(at time.Time) []Condition {
	var out []Condition
	for _, kind := range []string{ConditionReady, ConditionContainer, ConditionHealthy, ConditionResources} {
		out = append(out, Condition{Type: kind, State: True, Time: at})
	}
	return out
}

func failedRevision(cause error, at time.Time) []Condition {
	why, message := reason(cause), public(cause)
	out := []Condition{condition(ConditionReady, False, why, message, at)}
	switch why {
	case ReasonContainerMissing, ReasonUnauthorized:
		out = append(out, condition(ConditionContainer, False, why, message, at))
	case ReasonHealthCheck:
		out = append(out, Condition{Type: ConditionContainer, State: True, Time: at}, condition(ConditionHealthy, False, why, message, at))
	}
	return out
}

func find(conditions []Condition, kind string) (Condition, bool) {
	for _, c := range conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return Condition{}, false
}
