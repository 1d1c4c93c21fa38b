// @ts-check
/** Shows openapi.json as a page. Text reaches the page through textContent only. */

/** @typedef {{$ref?: string, type?: string, format?: string, enum?: string[], description?: string, items?: Schema, properties?: Record<string, Schema>}} Schema */
/** @typedef {{content?: Record<string, {schema: Schema, "x-event-data"?: Schema}>}} Body */
/** @typedef {{name: string, description: string, schema: Schema, $ref?: string}} Parameter */
/** @typedef {{operationId: string, summary: string, description?: string, parameters?: Parameter[], requestBody?: Body, responses: Record<string, Body>}} Operation */
/** @typedef {{schemas: Record<string, Schema>, parameters: Record<string, Parameter>}} Components */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} [text]
 * @param {...(Node | string)} children
 */
function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/**
 * The last part of a reference, such as Balance.
 * @param {string} reference
 */
function nameOf(reference) {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/**
 * A schema in a few words, such as "list of Balance".
 * @param {Schema} schema
 * @returns {string}
 */
function describeType(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.items) return `list of ${describeType(schema.items)}`;
  if (schema.enum) return schema.enum.join(", ");
  return schema.format ? `${schema.type} (${schema.format})` : (schema.type ?? "");
}

/** @param {{name: string, type: string, description?: string}[]} rows */
function describeFields(rows) {
  const list = element("dl");
  for (const { name, type, description } of rows) {
    const shownType = element("span", type);
    shownType.className = "quiet";
    const value = element("dd", "", shownType, element("p", description));
    list.append(element("dt", "", element("code", name)), value);
  }
  return list;
}

/**
 * The fields of a message, closed until somebody looks, with the messages inside it.
 * @param {string} name
 * @param {Record<string, Schema>} schemas
 * @param {string[]} [above] messages that it lies in
 */
function describeMessage(name, schemas, above = []) {
  const schema = schemas[name];
  const details = element("details", "", element("summary", name));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(element("p", schema.description));
    const fields = Object.entries(schema.properties ?? {});
    details.append(describeFields(fields.map(([field, of]) => ({ name: field, type: describeType(of), description: of.description }))));
    const inner = fields.map(([, of]) => (of.items ?? of).$ref ?? "").filter(Boolean);
    for (const each of new Set(inner.map(nameOf))) {
      if (schemas[each].properties && !above.includes(each)) {
        details.append(describeMessage(each, schemas, [...above, name]));
      }
    }
  });
  return details;
}

/** @param {string} path @param {string} method @param {Operation} operation @param {Components} components */
function describeRequest(path, method, operation, components) {
  const section = element("section");
  section.id = operation.operationId;
  section.append(element("h2", "", element("code", `${method.toUpperCase()} ${path}`)));
  for (const paragraph of (operation.description ?? operation.summary).split("\n\n")) {
    section.append(element("p", paragraph));
  }
  const parameters = (operation.parameters ?? []).map((each) =>
    each.$ref ? components.parameters[nameOf(each.$ref)] : each);
  if (parameters.length) {
    section.append(element("h3", "Parameters and headers"));
    section.append(describeFields(parameters.map(({ name, schema, description }) => ({ name, type: describeType(schema), description }))));
  }
  const messages = [operation.requestBody, operation.responses["200"]].flatMap((body) =>
    Object.values(body?.content ?? {}).map((each) => each["x-event-data"] ?? each.schema));
  for (const { $ref } of messages) {
    if ($ref) section.append(describeMessage(nameOf($ref), components.schemas));
  }
  return section;
}

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @type {{info: {description: string}, paths: Record<string, Record<string, Operation>>, components: Components}} */
const api = await (await fetch("../v1/openapi.json")).json();
byId("introduction").textContent = api.info.description;
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const link = element("a", path);
    link.href = `#${operation.operationId}`;
    byId("contents").append(element("li", "", link));
    byId("requests").append(describeRequest(path, method, operation, api.components));
  }
}
