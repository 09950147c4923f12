package config

// clusterRows are weir's own directives of nodes that work together.
func clusterRows() []row {
	return []row{
		{name: "cluster", in: InMain, args: args0 | argsBlock, state: Coming, set: setCluster},
		{name: "data", in: InMain | InCluster, args: args1, state: Coming, set: setData},
		{name: "name", in: InCluster, args: args1, state: Coming, set: nodeName(func(c *Cluster) *string { return &c.Name })},
		{name: "node", in: InCluster, args: args1, state: Coming, set: nodeName(func(c *Cluster) *string { return &c.Node })},
		{name: "listen", in: InCluster, args: args1, state: Coming, set: setClusterListen},
		{name: "join", in: InCluster, args: argsMore1, state: Coming, many: true, set: setJoin},
		{name: "expect", in: InCluster, args: args1, state: Coming, set: setExpect},
		{name: "secret", in: InCluster, args: args1, state: Coming, set: setSecret},
	}
}
