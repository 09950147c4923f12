package config

// clusterRows are weir's own directives of nodes that work together.
func clusterRows() []row {
	return join(
		rowsOf(row{in: InMain, args: args0 | argsBlock, state: Coming, set: swallow(InCluster)}, "cluster"),
		rowsOf(row{in: InMain, args: args1, state: Coming}, "data"),
		rowsOf(row{in: InCluster, args: args1, state: Coming}, "name node listen expect data secret"),
		rowsOf(row{in: InCluster, args: argsMore1, state: Coming, many: true}, "join"),
	)
}
