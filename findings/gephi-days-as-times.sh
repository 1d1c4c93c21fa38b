#!/bin/sh
# A column of days in a spreadsheet takes the time line of Gephi away, or ends the import.
#
# Versions: gephi-toolkit 0.10.1, Java 17 (as of November 2026).
# Run: import nodes with a column of days ("joined"), then edges with intervals in Timeset, into one
#   workspace; and the same in the other order.
# Expected: a text attribute "joined", and the intervals of the edges.
# Seen: Gephi takes "joined" for a set of timestamps, and so makes the graph one of timestamps. The
#   edges arrive without their intervals ("Cannot change graph configuration when the graph is not
#   empty"). In the other order the import ends in a ClassCastException.
# Bites: anyone who exports nodes with a date of joining next to edges with times.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>gephi</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.gephi</groupId><artifactId>gephi-toolkit</artifactId><version>0.10.1</version>
    <exclusions><exclusion>
      <groupId>net.java.dev</groupId><artifactId>stax-utils</artifactId>
    </exclusion></exclusions>
  </dependency></dependencies>
</project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=jars
printf 'Id,Label\na,A\nb,B\n' > plain.csv
printf 'Id,Label,joined\na,A,2024-03-01\nb,B,2024-03-02\n' > days.csv
printf 'Source,Target,weight,Timeset\na,b,3,"<[2024-03-05, 2024-03-06]>"\n' > edges.csv
cat > Import.java <<'JAVA'
import java.io.File;
import org.gephi.graph.api.GraphController;
import org.gephi.graph.api.GraphModel;
import org.gephi.io.importer.api.Container;
import org.gephi.io.importer.api.ImportController;
import org.gephi.io.processor.plugin.AppendProcessor;
import org.gephi.project.api.ProjectController;
import org.gephi.project.api.Workspace;
import org.openide.util.Lookup;

public class Import {
  public static void main(String[] files) throws Exception {
    ProjectController projects = Lookup.getDefault().lookup(ProjectController.class);
    projects.newProject();
    Workspace workspace = projects.getCurrentWorkspace();
    ImportController importer = Lookup.getDefault().lookup(ImportController.class);
    try {
      for (String file : files) {
        Container container = importer.importFile(new File(file));
        importer.process(container, new AppendProcessor(), workspace);
      }
      GraphModel model = Lookup.getDefault().lookup(GraphController.class).getGraphModel(workspace);
      System.out.println(model.getConfiguration().getTimeRepresentation() + " "
          + model.getTimeBounds().getLow());
    } catch (ClassCastException error) {
      System.out.println("ClassCastException");
    }
    System.exit(0);
  }
}
JAVA
check() {
  expected=$1
  shift
  seen=$(java -Djava.awt.headless=true -cp 'jars/*' Import.java "$@" 2>/dev/null)
  echo "$*: $seen"
  [ "$seen" = "$expected" ]
}
check "INTERVAL 1.7095968E12" plain.csv edges.csv
check "TIMESTAMP -Infinity" days.csv edges.csv
check "ClassCastException" edges.csv days.csv
