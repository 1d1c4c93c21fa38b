import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gephi.graph.api.Column;
import org.gephi.graph.api.Edge;
import org.gephi.graph.api.Element;
import org.gephi.graph.api.Graph;
import org.gephi.graph.api.GraphController;
import org.gephi.graph.api.GraphModel;
import org.gephi.graph.api.Interval;
import org.gephi.graph.api.Node;
import org.gephi.graph.api.types.IntervalSet;
import org.gephi.io.importer.api.Container;
import org.gephi.io.importer.api.ImportController;
import org.gephi.io.importer.api.Issue;
import org.gephi.io.processor.plugin.AppendProcessor;
import org.gephi.project.api.ProjectController;
import org.gephi.project.api.Workspace;
import org.openide.util.Lookup;

/**
 * Imports graph files into Gephi's engine. For each line of paths, separated by tabs, it opens a
 * workspace, appends the files to it, and writes a line of JSON with the graph that Gephi has then.
 * Times are milliseconds since 1970, as Gephi has them.
 */
public class ReadGraphs {
  private static final Gson GSON =
      new GsonBuilder().serializeSpecialFloatingPointValues().create();

  public static void main(String[] arguments) throws Exception {
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err); // for what the engine prints
    ProjectController projects = Lookup.getDefault().lookup(ProjectController.class);
    projects.newProject();
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      answers.println(GSON.toJson(read(projects, line.split("\t"))));
    }
    System.exit(0); // the engine has threads that do not end
  }

  private static Map<String, Object> read(ProjectController projects, String[] paths)
      throws Exception {
    ImportController importer = Lookup.getDefault().lookup(ImportController.class);
    Workspace workspace = projects.newWorkspace(projects.getCurrentProject());
    projects.openWorkspace(workspace);
    List<String> issues = new ArrayList<>();
    for (String path : paths) {
      Container container = importer.importFile(new File(path));
      importer.process(container, new AppendProcessor(), workspace);
      container.getReport().getIssues(Integer.MAX_VALUE).forEachRemaining(
          (Issue issue) -> issues.add(issue.getLevel() + ": " + issue.getMessage()));
    }
    GraphModel model = Lookup.getDefault().lookup(GraphController.class).getGraphModel(workspace);
    Graph graph = model.getGraph();
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("issues", issues);
    List<Object> nodes = new ArrayList<>();
    for (Node node : graph.getNodes().toArray()) {
      nodes.add(describe(node));
    }
    List<Object> edges = new ArrayList<>();
    for (Edge edge : graph.getEdges().toArray()) {
      Map<String, Object> row = describe(edge);
      row.put("source", edge.getSource().getId());
      row.put("target", edge.getTarget().getId());
      row.put("weight", edge.getWeight());
      row.put("is_directed", edge.isDirected());
      row.put("kind", edge.getTypeLabel() == null ? "" : edge.getTypeLabel().toString());
      edges.add(row);
    }
    answer.put("nodes", nodes);
    answer.put("edges", edges);
    Interval bounds = model.getTimeBounds();
    answer.put("bounds", List.of(bounds.getLow(), bounds.getHigh()));
    projects.deleteWorkspace(workspace);
    return answer;
  }

  private static Map<String, Object> describe(Element element) {
    Map<String, Object> attributes = new LinkedHashMap<>();
    List<double[]> spells = List.of();
    for (Column column : element.getAttributeColumns()) {
      Object value = element.getAttribute(column);
      if (value instanceof IntervalSet) {
        spells = list((IntervalSet) value);
      } else if (value != null && !column.isProperty()) {
        boolean isPlain = value instanceof Number || value instanceof Boolean;
        attributes.put(column.getTitle(), isPlain ? value : value.toString());
      }
    }
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("id", element.getId());
    row.put("label", element.getLabel() == null ? "" : element.getLabel());
    row.put("attributes", attributes);
    row.put("spells", spells);
    return row;
  }

  private static List<double[]> list(IntervalSet set) {
    List<double[]> spells = new ArrayList<>();
    for (Interval each : set.toArray()) {
      spells.add(new double[] {each.getLow(), each.getHigh()});
    }
    return spells;
  }
}
