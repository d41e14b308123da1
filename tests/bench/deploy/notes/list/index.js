const { DynamoDBClient, ScanCommand } = require("@aws-sdk/client-dynamodb");

const EDITION = "0";
const database = new DynamoDBClient({});

exports.handler = async () => {
  const { Items } = await database.send(new ScanCommand({ TableName: process.env.TABLE_NAME }));
  return { statusCode: 200, body: JSON.stringify({ edition: EDITION, notes: Items.map(({ text }) => text.S) }) };
};
