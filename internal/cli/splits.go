package cli

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
)

// shardings are gcloud's words for what keeps a client on a version.
var shardings = map[string]appenginepb.TrafficSplit_ShardBy{
	"ip":     appenginepb.TrafficSplit_IP,
	"cookie": appenginepb.TrafficSplit_COOKIE,
	"random": appenginepb.TrafficSplit_RANDOM,
}

// parseSplits reads v1=.5,v2=.5. The numbers are weights; what they make is
// rounded to the decimals that the API takes, two by address and three
// otherwise, and the rest goes to the largest share, as gcloud does.
func parseSplits(splits, by string) (*appenginepb.TrafficSplit, error) {
	shardBy, ok := shardings[by]
	if !ok {
		return nil, usagef("--split-by: %q is not allowed: use ip, cookie or random", by)
	}
	weights, err := parseWeights(splits)
	if err != nil {
		return nil, err
	}
	places := 1000.0
	if by == "ip" {
		places = 100
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	shares, rest := map[string]int{}, int(places)
	ids := slices.Sorted(maps.Keys(weights))
	largest := ids[0]
	for _, id := range ids {
		shares[id] = int(math.Round(weights[id] / sum * places))
		if shares[id] == 0 {
			return nil, usagef("--splits: %s would get nothing: leave it away, or give it a larger share", id)
		}
		rest -= shares[id]
		if shares[id] > shares[largest] {
			largest = id
		}
	}
	shares[largest] += rest
	out := &appenginepb.TrafficSplit{ShardBy: shardBy, Allocations: map[string]float64{}}
	for _, id := range ids {
		if shares[id] <= 0 {
			return nil, usagef("--splits: %d versions are too many for shares of whole %v", len(ids), 1/places)
		}
		out.Allocations[id] = float64(shares[id]) / places
	}
	return out, nil
}

// maxWeight keeps the sum of all weights finite.
const maxWeight = 1e9

func parseWeights(splits string) (map[string]float64, error) {
	if strings.TrimSpace(splits) == "" {
		return nil, usagef("--splits is missing: name the versions and their shares, such as --splits v1=.5,v2=.5")
	}
	out := map[string]float64{}
	for part := range strings.SplitSeq(splits, ",") {
		id, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		weight, err := strconv.ParseFloat(number, 64)
		switch {
		case !ok || err != nil || !(weight > 0 && weight <= maxWeight):
			return nil, usagef("--splits: %q is not allowed: use VERSION=SHARE with a number above 0, such as v1=.5", part)
		case !versionRE.MatchString(id):
			return nil, usagef("--splits: %q is not the id of a version", id)
		case out[id] > 0:
			return nil, usagef("--splits: %s is named twice", id)
		}
		out[id] = weight
	}
	return out, nil
}
